// Numbers limited on both sides: x = limit where x > limit, -limit where x < -limit; NaN stays.
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per element: sizeof(REAL) read, sizeof(REAL) written. Operations per element: 2 comparisons.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) clip(
    REAL* __restrict__ values, long long size, REAL limit)
{
    REAL x[ITEMS];
    EACH_ITEM(k) x[k] = load(values, element(blockIdx.x, k), size);
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) values[i] = x[k] > limit ? limit : x[k] < -limit ? -limit : x[k];
    }
}
