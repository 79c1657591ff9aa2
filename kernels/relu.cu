// The rectified linear unit, and the gradient of its input, by itself and with dropout after it.
//
// relu:          out[i] = max(x[i], 0), NaN where x[i] is NaN
// relu_gradient: input_gradient[i] = output_gradient[i] where out[i] > 0, else 0
// dense_relu_gradient: that times `scale`, of what dropout kept; what it dropped is 0 in `out`
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per output: relu sizeof(REAL) read, sizeof(REAL) written; relu_gradient twice that read.
// Operations per output: a comparison, and a multiplication for dropout.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) relu(
    const REAL* __restrict__ x, REAL* __restrict__ out, long long size)
{
    REAL values[ITEMS];
    EACH_ITEM(k) values[k] = load(x, element(blockIdx.x, k), size);
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) out[i] = values[k] < 0 ? (REAL)0 : values[k];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) relu_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ out,
    REAL* __restrict__ input_gradient,
    long long size)
{
    REAL values[ITEMS], gradients[ITEMS];
    EACH_ITEM(k)
    {
        values[k] = load(out, element(blockIdx.x, k), size);
        gradients[k] = load(output_gradient, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) input_gradient[i] = values[k] > 0 ? gradients[k] : (REAL)0;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) dense_relu_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ out,
    REAL* __restrict__ input_gradient,
    long long size,
    REAL scale)
{
    REAL values[ITEMS], gradients[ITEMS];
    EACH_ITEM(k)
    {
        values[k] = load(out, element(blockIdx.x, k), size);
        gradients[k] = load(output_gradient, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) input_gradient[i] = values[k] > 0 ? gradients[k] * scale : (REAL)0;
    }
}
