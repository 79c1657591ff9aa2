// Arrays that lie one after the other, scaled by their Euclidean norms.
//
// sum_squares: sums[b] = sum of x[i]^2 over piece b
// clip_norms:  x[i] = x[i] * limit / norm where the norm of its array is above the limit
// unit_norm:   x[i] = x[i] / (norm + epsilon), of one array
//
// Each array is cut into pieces of at most THREADS * ITEMS elements: piece b begins with element
// pieces[b][0] and ends before pieces[b][1]. The pieces of its array are those from partners[b][0] up
// to partners[b][1]; in unit_norm, all.
//
// Index map: block b works on piece b, of which thread t takes the elements t, t + THREADS, ... The
// blocks of an array each add up the sums of its pieces, in one order that depends on their number
// alone; so they get the same norm, and the same one each time.
//
// Bytes per element: sum_squares sizeof(REAL) read; the others sizeof(REAL) read and written, and
// sizeof(REAL) from cache for each piece of the array and block. Operations per element: sum_squares
// a multiplication and an addition; the others a multiplication.

#include "block_sums.cuh"
#include "elements.cuh"

// The sum of a number of each thread of the block, the same for all of them.
__device__ __forceinline__ REAL sum_of_block(REAL value)
{
    __shared__ REAL sums[THREADS];
    sum_threads(value, sums, 1);
    __syncthreads();
    return sums[0];
}

// The norm of an array, from the sums of its pieces.
__device__ __forceinline__ REAL norm(
    const REAL* __restrict__ sums, long long first_piece, long long end_piece)
{
    REAL sum = 0;
    for (long long piece = first_piece + threadIdx.x; piece < end_piece; piece += THREADS)
        sum += sums[piece];
    return sqrt(sum_of_block(sum));
}

// Multiplies the elements of a piece.
__device__ __forceinline__ void scale(
    REAL* __restrict__ values, const long long* __restrict__ piece, REAL factor)
{
    const long long start = piece[0], end = piece[1];
    REAL x[ITEMS];
    EACH_ITEM(k) x[k] = load(values, start + element(0, k), end);
    EACH_ITEM(k)
    {
        const long long i = start + element(0, k);
        if (i < end) values[i] = x[k] * factor;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) sum_squares(
    const REAL* __restrict__ values,
    const long long* __restrict__ pieces,
    REAL* __restrict__ sums)
{
    const long long start = pieces[2 * blockIdx.x], end = pieces[2 * blockIdx.x + 1];
    REAL x[ITEMS];
    EACH_ITEM(k) x[k] = load(values, start + element(0, k), end);
    REAL sum = 0;
    EACH_ITEM(k) sum += x[k] * x[k];
    sum = sum_of_block(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS) clip_norms(
    REAL* __restrict__ values,
    const long long* __restrict__ pieces,
    const long long* __restrict__ partners,
    const REAL* __restrict__ sums,
    REAL limit,
    int nan_if_infinite)
{
    const REAL size = norm(sums, partners[2 * blockIdx.x], partners[2 * blockIdx.x + 1]);
    REAL factor = size <= limit ? (REAL)1 : limit / size;  // NaN if the norm is
    if (nan_if_infinite) factor += size - size;            // which is NaN if it is infinite
    scale(values, pieces + 2 * blockIdx.x, factor);
}

extern "C" __global__ void __launch_bounds__(THREADS) unit_norm(
    REAL* __restrict__ values,
    const long long* __restrict__ pieces,
    const REAL* __restrict__ sums,
    long long blocks,
    REAL epsilon)
{
    const REAL size = norm(sums, 0, blocks);
    scale(values, pieces + 2 * blockIdx.x, 1 / (size + epsilon));
}
