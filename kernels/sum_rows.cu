// Sums over the rows of a matrix, in two steps: first of slabs of rows, then of the slabs.
//
// out[slab, j] = sum of a[i, j] over the slab's rows, i from slab * slab_rows
//
// Index map: block (x, slab) sums the columns from x * lanes, `lanes` a power of two of at most 32.
// Its thread t takes column t % lanes, and the rows t / lanes, t / lanes + THREADS / lanes, ... of
// the slab, so that a warp reads consecutive memory however narrow the matrix is. The threads of a
// column then add up their sums in shared memory, in halves: in an order that depends on the shape
// alone.
//
// Bytes per output: slab_rows * sizeof(REAL) read, sizeof(REAL) written. Operations per output:
// slab_rows additions.

extern "C" __global__ void __launch_bounds__(THREADS) sum_rows(
    const REAL* __restrict__ a,
    REAL* __restrict__ out,
    long long rows,
    long long columns,
    long long slab_rows,
    int lanes)
{
    __shared__ REAL sums[THREADS];
    const int t = threadIdx.x;
    const int group = THREADS / lanes;
    const long long j = (long long)blockIdx.x * lanes + t % lanes;
    const long long first_row = blockIdx.y * slab_rows;
    const long long end_row = min(first_row + slab_rows, rows);

    REAL sum = 0;
    if (j < columns) {
#pragma unroll 4
        for (long long i = first_row + t / lanes; i < end_row; i += group)
            sum += a[i * columns + j];
    }
    sums[t] = sum;
    for (int half = THREADS / 2; half >= lanes; half /= 2) {
        __syncthreads();
        if (t < half) sums[t] += sums[t + half];
    }
    if (t < lanes && j < columns) out[blockIdx.y * columns + j] = sums[t];
}
