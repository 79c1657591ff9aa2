// The transpose of a matrix: out[j, i] = x[i, j], for x of (rows, columns).
//
// Index map: a block of 32 x 8 threads moves one tile of 32 x 32 elements, four a thread, by way
// of shared memory: so a warp reads consecutive elements of a row of x, and writes consecutive
// elements of a row of out. A row of the tile has one element more than it holds, so that a warp
// that reads a column of it reads from 32 different banks.

#define TILE 32
#define ROWS 8

extern "C" __global__ void transpose(
    const float* __restrict__ x, float* __restrict__ out, int rows, int columns)
{
    __shared__ float tile[TILE][TILE + 1];
    const int row = blockIdx.y * TILE, column = blockIdx.x * TILE;

    for (int i = threadIdx.y; i < TILE; i += ROWS)
        if (row + i < rows && column + threadIdx.x < columns)
            tile[i][threadIdx.x] = x[(row + i) * columns + column + threadIdx.x];

    __syncthreads();

    for (int i = threadIdx.y; i < TILE; i += ROWS)
        if (column + i < columns && row + threadIdx.x < rows)
            out[(column + i) * rows + row + threadIdx.x] = tile[threadIdx.x][i];
}
