// Inverted dropout, from the counter-based generator Philox4x32-10.
//
// mask[i] = scale where the random word of element first + i of the batch is at least `threshold`,
// else 0; out[i] = x[i] * mask[i].
// The word of element e is number e % 4 of the block whose counter is (low word of e / 4, high word
// of e / 4, step mod 2^32, stream) and whose key is (key_low, key_high): the same on every device.
//
// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//
// Index map: a thread draws one block of the generator, and serves the 4 consecutive elements that
// its words are for.
//
// Bytes per output: sizeof(REAL) read, 2 sizeof(REAL) written. Operations per output: about 20 of
// integers, a quarter of Philox's ten rounds of 2 wide multiplications and 6 others, and 1
// multiplication.

__device__ void philox_round(unsigned counter[4], unsigned key_low, unsigned key_high)
{
    const unsigned high_0 = __umulhi(0xD2511F53u, counter[0]), low_0 = 0xD2511F53u * counter[0];
    const unsigned high_2 = __umulhi(0xCD9E8D57u, counter[2]), low_2 = 0xCD9E8D57u * counter[2];
    counter[0] = high_2 ^ counter[1] ^ key_low;
    counter[1] = low_2;
    counter[2] = high_0 ^ counter[3] ^ key_high;
    counter[3] = low_0;
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
    const long long block = first / 4 + (long long)blockIdx.x * THREADS + threadIdx.x;
    unsigned words[4] = {(unsigned)block, (unsigned)(block >> 32), (unsigned)step[0], stream};
#pragma unroll
    for (unsigned round = 0; round < 10; round++)
        philox_round(words, key_low + round * 0x9E3779B9u, key_high + round * 0xBB67AE85u);
#pragma unroll
    for (int k = 0; k < 4; k++) {
        const long long i = 4 * block + k - first;
        if (i >= 0 && i < size) {
            const REAL kept = words[k] >= threshold ? scale : (REAL)0;
            mask[i] = kept;
            out[i] = x[i] * kept;
        }
    }
}
