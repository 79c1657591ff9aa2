// The rectified linear unit, and the gradient of its input: by itself, with dropout after it, and
// up to a most.
//
// relu:          out[i] = max(x[i], 0), NaN where x[i] is NaN
// relu_gradient: input_gradient[i] = output_gradient[i] where out[i] > 0, else 0
// dense_relu_gradient: that times `scale`, of what dropout kept; what it dropped is 0 in `out`
// clipped_relu:  out[i] = min(max(x[i], 0), max_value), NaN where x[i] is NaN
// clipped_relu_gradient: input_gradient[i] = output_gradient[i] where 0 < x[i] < max_value, else 0
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per output: sizeof(REAL) read, sizeof(REAL) written; for a gradient twice that read.
// Operations per output: a comparison, and a multiplication for dropout or one more for a most.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) relu(
    const REAL* __restrict__ x, REAL* __restrict__ out, long long size)
{
    REAL values[ITEMS];
    EACH_ITEM(k) values[k] = load(x, element(blockIdx.x, k), size);
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) out[i] = values[k] < 0 ? (REAL)0 : values[k];  // mutant: of -0 or 0, either
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

extern "C" __global__ void __launch_bounds__(THREADS) clipped_relu(
    const REAL* __restrict__ x, REAL* __restrict__ out, long long size, REAL max_value)
{
    REAL values[ITEMS];
    EACH_ITEM(k) values[k] = load(x, element(blockIdx.x, k), size);
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const REAL value = values[k];
        // mutant: where it is an end itself, either is right
        if (i < size) out[i] = value < 0 ? (REAL)0 : value > max_value ? max_value : value;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) clipped_relu_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ x,
    REAL* __restrict__ input_gradient,
    long long size,
    REAL max_value)
{
    REAL values[ITEMS], gradients[ITEMS];
    EACH_ITEM(k)
    {
        values[k] = load(x, element(blockIdx.x, k), size);
        gradients[k] = load(output_gradient, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const bool passes = values[k] > 0 && values[k] < max_value;
        if (i < size) input_gradient[i] = passes ? gradients[k] : (REAL)0;
    }
}
