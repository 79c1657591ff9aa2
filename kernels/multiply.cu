// The product of two arrays, element by element: out[i] = a[i] * b[i].
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per output: 2 sizeof(REAL) read, sizeof(REAL) written. Operations per output: a
// multiplication.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) multiply(
    const REAL* __restrict__ a, const REAL* __restrict__ b, REAL* __restrict__ out, long long size)
{
    REAL left[ITEMS], right[ITEMS];
    EACH_ITEM(k)
    {
        left[k] = load(a, element(blockIdx.x, k), size);
        right[k] = load(b, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) out[i] = left[k] * right[k];
    }
}
