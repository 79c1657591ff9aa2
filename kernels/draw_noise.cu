// Numbers of images that are each drawn from a table, from the counter-based generator Philox4x32-10.
//
// out[i, e] = table[floor(word * choices / 2^32), channel of e], the word being number e % 4 of block
// (first + i) * blocks + e / 4 of the generator, see philox.cuh; blocks is size / 4, rounded up.
//
// Index map: block (image, part) writes a part of an image, of which thread t has the elements 4 t to
// 4 t + 3.
//
// Bytes per output: sizeof(REAL) written; the table comes from cache. Operations per output: about 20
// of integers, a fourth of Philox's.

#include "philox.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) draw_noise(
    const REAL* __restrict__ table,
    const long long* __restrict__ step,
    REAL* __restrict__ out,
    int rows,
    int columns,
    int channels,
    int choices,
    long long first,
    unsigned key_low,
    unsigned key_high,
    unsigned stream)
{
    const unsigned size = rows * columns * channels, blocks = (size + 3) / 4;
    const unsigned block = blockIdx.y * THREADS + threadIdx.x;
    if (block >= blocks) return;
    const Generator generator = {(unsigned)step[0], key_low, key_high, stream};
    const Words words = random_words(generator, (first + blockIdx.x) * blocks + block);
    REAL* image = out + (long long)blockIdx.x * size;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        const unsigned e = 4 * block + k;
        const unsigned row = (unsigned long long)words.of[k] * choices >> 32;
        if (e < size) image[e] = table[row * channels + e % channels];
    }
}
