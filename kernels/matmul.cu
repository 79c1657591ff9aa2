// The matrix product out = A B + bias; A of (m, k) and B of (k, n) may each lie transposed.
//
// A's element (i, l) is a[i * a_row + l * a_column], and B's element (l, j) is
// b[l * b_row + j * b_column]: a transposed matrix is one whose strides are exchanged.
//
// Index map: block (x, y, z) adds up the terms l of z * split to (z + 1) * split - 1, for the
// TILE_M x TILE_N outputs from (x * TILE_M, y * TILE_N). A and B go through shared memory in tiles
// of TILE_K terms. A thread keeps THREAD_M x THREAD_N sums in registers: row tm + THREADS_M * r and
// column tn + THREADS_N * c of the tile for each r and c, so that a warp reads consecutive elements
// of B's tile, broadcasts of A's, and writes consecutive outputs.
//
// With one split, out is the result. With more, each writes a matrix of its own, out[z], which
// sum_rows then adds up in a fixed order: so the few outputs of a sum over many thousand terms, a
// weight gradient, are shared out over the whole device and come out the same each time. The
// bias goes into the first.
//
// Bytes per output, at best: (k / TILE_M + k / TILE_N + 1) * sizeof(REAL), the first two mostly
// from cache. Operations per output: k multiply-adds. A step of a thread over THREAD_M * THREAD_N
// multiply-adds reads THREAD_M + THREAD_N numbers of shared memory.
//
// Two blocks a multiprocessor are asked for: left to aim at more, the compiler spills registers.

#define THREADS_M (TILE_M / THREAD_M)
#define THREADS_N (TILE_N / THREAD_N)

// A tile of TILE_K terms of `lines` rows of A or columns of B, zeros beyond the matrix. A row of
// `tile` has one element more than it holds, so that a warp that writes a column of it writes to
// different banks.
__device__ __forceinline__ void load_tile(
    REAL* tile,
    int lines,
    const REAL* __restrict__ matrix,
    long long line_stride,
    long long term_stride,
    long long first_line,
    long long end_line,
    long long first_term,
    long long end_term)
{
    // Neighbours in a warp read neighbours in memory, whichever way the matrix lies.
    const bool terms_are_neighbours = term_stride == 1;
    for (int e = threadIdx.x; e < lines * TILE_K; e += THREADS) {
        const int line = terms_are_neighbours ? e / TILE_K : e % lines;
        const int term = terms_are_neighbours ? e % TILE_K : e / lines;
        const bool inside = first_line + line < end_line && first_term + term < end_term;
        tile[term * (lines + 1) + line] =
            inside ? matrix[(first_line + line) * line_stride + (first_term + term) * term_stride]
                   : (REAL)0;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) matmul(
    const REAL* __restrict__ a,
    const REAL* __restrict__ b,
    const REAL* __restrict__ bias,
    REAL* __restrict__ out,
    long long m,
    long long n,
    long long k,
    long long a_row,
    long long a_column,
    long long b_row,
    long long b_column,
    long long split)
{
    __shared__ REAL a_tile[TILE_K][TILE_M + 1];
    __shared__ REAL b_tile[TILE_K][TILE_N + 1];
    const int tm = threadIdx.x / THREADS_N;
    const int tn = threadIdx.x % THREADS_N;
    const long long first_row = (long long)blockIdx.x * TILE_M;
    const long long first_column = (long long)blockIdx.y * TILE_N;
    const long long first_term = blockIdx.z * split;
    const long long end_term = min(first_term + split, k);

    REAL sums[THREAD_M][THREAD_N] = {};
    for (long long term = first_term; term < end_term; term += TILE_K) {
        load_tile(&a_tile[0][0], TILE_M, a, a_row, a_column, first_row, m, term, end_term);
        load_tile(&b_tile[0][0], TILE_N, b, b_column, b_row, first_column, n, term, end_term);
        __syncthreads();
#pragma unroll
        for (int l = 0; l < TILE_K; l++) {
            REAL column[THREAD_M];
#pragma unroll
            for (int r = 0; r < THREAD_M; r++) column[r] = a_tile[l][tm + THREADS_M * r];
#pragma unroll
            for (int c = 0; c < THREAD_N; c++) {
                const REAL element = b_tile[l][tn + THREADS_N * c];
#pragma unroll
                for (int r = 0; r < THREAD_M; r++) sums[r][c] += column[r] * element;
            }
        }
        __syncthreads();  // before the tiles are overwritten
    }

    REAL* result = out + blockIdx.z * m * n;
    const bool with_bias = bias != nullptr && blockIdx.z == 0;
#pragma unroll
    for (int r = 0; r < THREAD_M; r++) {
        const long long i = first_row + tm + THREADS_M * r;
#pragma unroll
        for (int c = 0; c < THREAD_N; c++) {
            const long long j = first_column + tn + THREADS_N * c;
            if (i < m && j < n) result[i * n + j] = sums[r][c] + (with_bias ? bias[j] : (REAL)0);
        }
    }
}
