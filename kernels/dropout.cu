// Inverted dropout, from the counter-based generator Philox4x32-10.
//
// mask[i] = scale where the random word of element first + i of the batch is at least `threshold`,
// else 0; out[i] = x[i] * mask[i]. The words are those of philox.cuh.
//
// Index map: a thread draws one block of the generator, and serves the 4 consecutive elements that
// its words are for.
//
// Bytes per output: sizeof(REAL) read, 2 sizeof(REAL) written. Operations per output: about 20 of
// integers, a quarter of Philox's ten rounds of 2 wide multiplications and 6 others, and 1
// multiplication.

#include "philox.cuh"

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
    const long long block = first / 4 + (long long)blockIdx.x * THREADS + threadIdx.x;
    const Dropout dropout = {(unsigned)step[0], threshold, key_low, key_high, stream, scale};
    const Words words = random_words(dropout, block);
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
