// How a block shares out THREADS * ITEMS consecutive elements among its threads.
//
// Thread t takes the elements t, t + THREADS, t + 2 THREADS, ...: so a warp reads and writes
// consecutive memory, whatever the alignment, and the ITEMS loads of a thread, which come before
// its first store, do not wait for each other.

#define EACH_ITEM(k) _Pragma("unroll") for (int k = 0; k < ITEMS; k++)

// Item k of this thread, in the block'th part of the elements.
__device__ __forceinline__ long long element(unsigned block, int k)
{
    return (long long)block * (THREADS * ITEMS) + k * THREADS + threadIdx.x;
}

// Element i of `array`, zero beyond its end.
__device__ __forceinline__ REAL load(const REAL* __restrict__ array, long long i, long long size)
{
    return i < size ? array[i] : (REAL)0;
}
