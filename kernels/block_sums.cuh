// The sums over the threads of a block of a number of each, in shared memory, in halves: in an order
// that is the same each time.

// Adds up the numbers `mine` of threads t that are equal modulo `lanes`, a power of two, as is
// THREADS. `sums` holds THREADS numbers; sum number t, below `lanes`, is in sums[t], which thread t may
// read, and after a __syncthreads() the others too.
__device__ __forceinline__ void sum_threads(REAL mine, REAL* sums, int lanes)
{
    const int t = threadIdx.x;
    sums[t] = mine;
    for (int half = THREADS / 2; half >= lanes; half /= 2) {
        __syncthreads();
        if (t < half) sums[t] += sums[t + half];
    }
}
