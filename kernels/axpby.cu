// The sum of two scaled arrays, in the place of one of them: y = alpha * x + beta * y.
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per element: 2 sizeof(REAL) read, sizeof(REAL) written. Operations per element: 2
// multiplications and an addition.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) axpby(
    const REAL* __restrict__ x, REAL* __restrict__ y, long long size, REAL alpha, REAL beta)
{
    REAL left[ITEMS], right[ITEMS];
    EACH_ITEM(k)
    {
        left[k] = load(x, element(blockIdx.x, k), size);
        right[k] = load(y, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) y[i] = alpha * left[k] + beta * right[k];
    }
}
