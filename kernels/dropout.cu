// Inverted dropout, from the counter-based generator Philox4x32-10.
//
// dropout:   mask[i] = scale where the random word of element first + i of the batch is at least
//            `threshold`, else 0; out[i] = x[i] * mask[i]
// draw_mask: the mask alone
//
// The words are those of philox.cuh.
//
// Index map: a thread draws one block of the generator, and serves the 4 consecutive elements that
// its words are for.
//
// Bytes per output: sizeof(REAL) written of the mask; dropout also sizeof(REAL) read, sizeof(REAL)
// written. Operations per output: about 20 of integers, a quarter of Philox's ten rounds of 2 wide
// multiplications and 6 others, and in dropout 1 multiplication.

#include "philox.cuh"

// The 4 elements of a thread, numbered from the first of the batch.
__device__ __forceinline__ long long block_of_thread(long long first)
{
    return first / 4 + (long long)blockIdx.x * THREADS + threadIdx.x;
}

extern "C" __global__ void __launch_bounds__(THREADS) dropout(
    const REAL* __restrict__ x,
    const long long* __restrict__ step,
    REAL* __restrict__ mask,
    REAL* __restrict__ out,
    long long size,
    long long first,
    unsigned threshold,
    unsigned key_low,
    unsigned key_high,
    unsigned stream,
    REAL scale)
{
    const long long block = block_of_thread(first);
    const Dropout dropout = {{(unsigned)step[0], key_low, key_high, stream}, threshold, scale};
    const Words words = random_words(dropout.generator, block);
#pragma unroll
    for (int k = 0; k < 4; k++) {
        const long long i = 4 * block + k - first;
        if (i >= 0 && i < size) {
            const REAL kept = factor(dropout, words.of[k]);
            mask[i] = kept;
            out[i] = x[i] * kept;
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) draw_mask(
    const long long* __restrict__ step,
    REAL* __restrict__ mask,
    long long size,
    long long first,
    unsigned threshold,
    unsigned key_low,
    unsigned key_high,
    unsigned stream,
    REAL scale)
{
    const long long block = block_of_thread(first);
    const Dropout dropout = {{(unsigned)step[0], key_low, key_high, stream}, threshold, scale};
    const Words words = random_words(dropout.generator, block);
#pragma unroll
    for (int k = 0; k < 4; k++) {
        const long long i = 4 * block + k - first;
        if (i >= 0 && i < size) mask[i] = factor(dropout, words.of[k]);
    }
}
