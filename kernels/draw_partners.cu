// Another image of a batch for each image of a part of it.
//
// out[i] = batch[(first + i + number) % images], number being 1 + floor(word * (images - 1) / 2^32)
// of word 0 of block 0 of the generator, see philox.cuh.
//
// Index map: a thread an image.
//
// Bytes per output: 8 read, 8 written. Operations per output: about 80 of integers, the word.

#include "philox.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) draw_partners(
    const long long* __restrict__ batch,
    const long long* __restrict__ step,
    long long* __restrict__ out,
    long long images,
    long long count,
    long long first,
    unsigned key_low,
    unsigned key_high,
    unsigned stream)
{
    const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i >= count) return;
    const Generator generator = {(unsigned)step[0], key_low, key_high, stream};
    const unsigned long long word = random_words(generator, 0).of[0];
    const long long number = 1 + (long long)(word * (images - 1) >> 32);
    out[i] = batch[(first + i + number) % images];
}
