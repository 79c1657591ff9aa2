// The sum of two arrays, element by element, into a third or into one of them.
//
// add:        out[i] = a[i] + b[i]
// accumulate: total[i] += a[i]
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per output: 2 sizeof(REAL) read, sizeof(REAL) written. Operations per output: an addition.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) add(
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
        if (i < size) out[i] = left[k] + right[k];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) accumulate(
    const REAL* __restrict__ a, REAL* __restrict__ total, long long size)
{
    REAL addends[ITEMS], totals[ITEMS];
    EACH_ITEM(k)
    {
        addends[k] = load(a, element(blockIdx.x, k), size);
        totals[k] = load(total, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) total[i] = totals[k] + addends[k];
    }
}
