// The counter-based random number generator Philox4x32-10, and dropout by its words.
//
// The word of element e of a batch is number e % 4 of the block whose counter is (low word of e / 4,
// high word of e / 4, step mod 2^32, stream) and whose key is (key_low, key_high): the same on every
// device.
//
// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

struct Generator {
    unsigned step;
    unsigned key_low;
    unsigned key_high;
    unsigned stream;
};

struct Dropout {
    Generator generator;
    unsigned threshold;  // an element is kept if its word is at least this
    REAL scale;  // of the elements that are kept
};

// Four words at once, those of elements 4 * block to 4 * block + 3.
struct Words {
    unsigned of[4];
};

__device__ __forceinline__ void philox_round(
    unsigned counter[4], unsigned key_low, unsigned key_high)
{
    const unsigned high_0 = __umulhi(0xD2511F53u, counter[0]), low_0 = 0xD2511F53u * counter[0];
    const unsigned high_2 = __umulhi(0xCD9E8D57u, counter[2]), low_2 = 0xCD9E8D57u * counter[2];
    counter[0] = high_2 ^ counter[1] ^ key_low;
    counter[1] = low_2;
    counter[2] = high_0 ^ counter[3] ^ key_high;
    counter[3] = low_0;
}

__device__ __forceinline__ Words random_words(const Generator& generator, long long block)
{
    Words words = {{(unsigned)block, (unsigned)(block >> 32), generator.step, generator.stream}};
#pragma unroll
    for (unsigned round = 0; round < 10; round++)
        philox_round(
            words.of,
            generator.key_low + round * 0x9E3779B9u,
            generator.key_high + round * 0xBB67AE85u);
    return words;
}

// What an element is multiplied by.
__device__ __forceinline__ REAL factor(const Dropout& dropout, unsigned word)
{
    return word >= dropout.threshold ? dropout.scale : (REAL)0;
}
