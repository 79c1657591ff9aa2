// Sums over the rows of a matrix: out[j] = sum of a[i, j] over i.
//
// Index map: see columns.cuh.
//
// Bytes per output: rows * sizeof(REAL) read, sizeof(REAL) written, and of several slabs
// each is written and read. Operations per output: rows additions.

#include "columns.cuh"

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
    unsigned* ticket = tickets + blockIdx.x;
    if (sum_slabs(Terms{ELEMENTS, a}, slabs, ticket, rows, columns, slab_rows, lanes, sums))
        out[column_of(lanes)] = sums[threadIdx.x];
}
