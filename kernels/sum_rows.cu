// Sums over the rows of a matrix, in slabs of rows that are shared out over blocks.
//
// out[j] = sum of a[i, j] over i
//
// Index map: block (x, slab) adds up the rows from slab * slab_rows to (slab + 1) * slab_rows - 1 in
// the columns from x * lanes, `lanes` a power of two. Its thread t takes column t % lanes, and the
// rows t / lanes, t / lanes + THREADS / lanes, ... of the slab, so that a warp reads consecutive
// memory however narrow the matrix is. The threads of a column then add up their sums in shared
// memory, in halves. With more than one slab, each block writes its sums to `slabs`, and the last
// block of some columns to finish adds these up in the same way: in an order that depends on the
// shape alone.
//
// Bytes per output: rows * sizeof(REAL) read, sizeof(REAL) written, and of several slabs
// each is written and read. Operations per output: rows additions.

#include "last_block.cuh"

#define ROWS_AT_ONCE 16  // of a thread, whose loads do not wait for each other

// The sums of this block's columns over some rows, in shared memory.
__device__ __forceinline__ void sum_columns(
    const REAL* a, long long first_row, long long end_row, long long columns, int lanes, REAL* sums)
{
    const int t = threadIdx.x;
    const int group = THREADS / lanes;
    const long long j = (long long)blockIdx.x * lanes + t % lanes;
    const long long step = group * columns;
    const REAL* next = a + (first_row + t / lanes) * columns + j;
    long long left = j < columns ? end_row - first_row - t / lanes : 0;
    REAL sum = 0;
    while (left > 0) {
        REAL values[ROWS_AT_ONCE];
#pragma unroll
        for (int k = 0; k < ROWS_AT_ONCE; k++) {
            values[k] = left > 0 ? *next : (REAL)0;
            next += step;
            left -= group;
        }
#pragma unroll
        for (int k = 0; k < ROWS_AT_ONCE; k++) sum += values[k];
    }
    sums[t] = sum;
    for (int half = THREADS / 2; half >= lanes; half /= 2) {
        __syncthreads();
        if (t < half) sums[t] += sums[t + half];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) sum_rows(
    const REAL* __restrict__ a,
    REAL* __restrict__ out,
    REAL* slabs,
    unsigned* tickets,
    long long rows,
    long long columns,
    long long slab_rows,
    int lanes)
{
    __shared__ REAL sums[THREADS];
    const int t = threadIdx.x;
    const long long j = (long long)blockIdx.x * lanes + t;
    const bool writes = t < lanes && j < columns;
    const long long first_row = blockIdx.y * slab_rows;
    sum_columns(a, first_row, min(first_row + slab_rows, rows), columns, lanes, sums);
    if (slabs != nullptr) {
        if (writes) slabs[blockIdx.y * columns + j] = sums[t];
        if (!is_last_block(tickets + blockIdx.x, gridDim.y)) return;
        sum_columns(slabs, 0, gridDim.y, columns, lanes, sums);
    }
    if (writes) out[j] = sums[t];
}
