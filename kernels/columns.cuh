// Sums over rows, column by column, in slabs of rows that are shared out over blocks.
//
// Index map: block (x, slab) adds up the rows from slab * slab_rows to (slab + 1) * slab_rows - 1 in
// the columns from x * lanes, `lanes` a power of two. Its thread t takes column t % lanes, and the
// rows t / lanes, t / lanes + THREADS / lanes, ... of the slab, so that a warp reads consecutive
// memory however narrow the matrix is. The threads of a column then add up their sums in shared
// memory, in halves. With more than one slab, each block writes its sums to `slabs`, and the last
// block of some columns to finish adds these up in the same way: in an order that depends on the
// shape alone.

#include "block_sums.cuh"
#include "last_block.cuh"

#define ROWS_AT_ONCE 16  // of a thread, whose loads do not wait for each other

// What is summed: the elements of a matrix as they are, the squares of their deviations from the mean
// of their column, or the products of these deviations with another matrix. Which of these is known
// where the kernel is compiled.
enum Kind { ELEMENTS, SQUARES, PRODUCTS };

struct Terms {
    Kind kind;
    const REAL* array;
    REAL mean;
    const REAL* other;

    // The term of the element at an index, of this thread's column.
    __device__ __forceinline__ REAL operator[](long long index) const
    {
        if (kind == ELEMENTS) return array[index];
        const REAL deviation = array[index] - mean;
        return deviation * (kind == SQUARES ? deviation : other[index]);
    }
};

// The column of this thread.
__device__ __forceinline__ long long column_of(int lanes)
{
    return (long long)blockIdx.x * lanes + threadIdx.x % lanes;
}

// The sums of this block's columns over some rows, in shared memory.
__device__ __forceinline__ void sum_columns(
    const Terms& terms, long long first_row, long long end_row, long long columns, int lanes, REAL* sums)
{
    const int t = threadIdx.x;
    const int group = THREADS / lanes;
    const long long j = column_of(lanes);
    const long long step = group * columns;
    long long next = (first_row + t / lanes) * columns + j;
    long long left = j < columns ? end_row - first_row - t / lanes : 0;
    REAL sum = 0;
    while (left > 0) {
        REAL values[ROWS_AT_ONCE];
#pragma unroll
        for (int k = 0; k < ROWS_AT_ONCE; k++) {
            values[k] = left > 0 ? terms[next] : (REAL)0;
            next += step;
            left -= group;
        }
#pragma unroll
        for (int k = 0; k < ROWS_AT_ONCE; k++) sum += values[k];
    }
    sum_threads(sum, sums, lanes);
}

// The sums of this block's columns over all rows, in the first `lanes` elements of shared memory.
// Returns whether this thread is to write that of its column.
//
// `slabs` holds gridDim.y rows, null for one slab; `ticket` counts the blocks of these columns.
__device__ __forceinline__ bool sum_slabs(
    const Terms& terms,
    REAL* slabs,
    unsigned* ticket,
    long long rows,
    long long columns,
    long long slab_rows,
    int lanes,
    REAL* sums)
{
    const int t = threadIdx.x;
    const long long j = column_of(lanes);
    const bool writes = t < lanes && j < columns;
    const long long first_row = blockIdx.y * slab_rows;
    sum_columns(terms, first_row, min(first_row + slab_rows, rows), columns, lanes, sums);
    if (slabs == nullptr) return writes;
    if (writes) slabs[blockIdx.y * columns + j] = sums[t];
    if (!is_last_block(ticket, gridDim.y)) return false;
    sum_columns(Terms{ELEMENTS, slabs}, 0, gridDim.y, columns, lanes, sums);
    return writes;
}
