// The leaky rectified linear unit, and the gradient of its input.
//
// leaky_relu:          out[i] = x[i] where x[i] > 0, else negative_slope * x[i]
// leaky_relu_gradient: input_gradient[i] = output_gradient[i] where out[i] > 0, else
//                      negative_slope * output_gradient[i]
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per output: leaky_relu sizeof(REAL) read, sizeof(REAL) written; leaky_relu_gradient twice
// that read. Operations per output: a comparison and a multiplication.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) leaky_relu(
    const REAL* __restrict__ x, REAL* __restrict__ out, long long size, REAL negative_slope)
{
    REAL values[ITEMS];
    EACH_ITEM(k) values[k] = load(x, element(blockIdx.x, k), size);
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) out[i] = values[k] > 0 ? values[k] : negative_slope * values[k];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) leaky_relu_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ out,
    REAL* __restrict__ input_gradient,
    long long size,
    REAL negative_slope)
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
        if (i < size)
            input_gradient[i] = values[k] > 0 ? gradients[k] : negative_slope * gradients[k];
    }
}
