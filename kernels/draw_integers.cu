// Two whole numbers for each image of a batch, from the counter-based generator Philox4x32-10.
//
// out[i, k] = low + floor(word * (high - low + 1) / 2^32), for k = 0 and 1 with limits of their own,
// the word being number k of block first + i of the generator, see philox.cuh.
//
// Index map: a thread draws one block of the generator, for one image.
//
// Bytes per output: 4 written. Operations per output: about 40 of integers, half of Philox's ten
// rounds of 2 wide multiplications and 6 others.

#include "philox.cuh"

__device__ __forceinline__ int within(int low, int high, unsigned word)
{
    const unsigned long long count = (unsigned long long)((long long)high - low) + 1;
    return (int)(low + (long long)(word * count >> 32));
}

extern "C" __global__ void __launch_bounds__(THREADS) draw_integers(
    const long long* __restrict__ step,
    int* __restrict__ out,
    long long images,
    long long first,
    int low_0,
    int high_0,
    int low_1,
    int high_1,
    unsigned key_low,
    unsigned key_high,
    unsigned stream)
{
    const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i >= images) return;
    const Generator generator = {(unsigned)step[0], key_low, key_high, stream};
    const Words words = random_words(generator, first + i);
    out[2 * i] = within(low_0, high_0, words.of[0]);
    out[2 * i + 1] = within(low_1, high_1, words.of[1]);
}
