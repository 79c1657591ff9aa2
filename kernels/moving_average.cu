// A moving average: average[i] = momentum * average[i] + (1 - momentum) * values[i].
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per output: 2 sizeof(REAL) read, sizeof(REAL) written. Operations per output: two
// multiplications and an addition.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) moving_average(
    const REAL* __restrict__ values, REAL momentum, REAL* __restrict__ average, long long size)
{
    REAL next[ITEMS], last[ITEMS];
    EACH_ITEM(k)
    {
        next[k] = load(values, element(blockIdx.x, k), size);
        last[k] = load(average, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        if (i < size) average[i] = momentum * last[k] + (1 - momentum) * next[k];
    }
}
