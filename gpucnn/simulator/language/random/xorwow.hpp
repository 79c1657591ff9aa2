// XORWOW: the sum of five words, which are shifted and added bit by bit, and a counter.
//
// Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8, 2003; the seeds are curand's. A step of
// the words is linear in their 160 bits. So as many steps as one likes are a polynomial of one step, of
// a degree below 160: x^n modulo the characteristic polynomial, whose coefficients are bits.
#pragma once

#include "../description.hpp"

struct curandStateXORWOW {
    unsigned d, v[5];
    int boxmuller_flag, boxmuller_flag_double;
    float boxmuller_extra;
    double boxmuller_extra_double;
};
typedef curandStateXORWOW curandStateXORWOW_t;
typedef curandStateXORWOW curandState_t;
typedef curandStateXORWOW curandState;

namespace gpucnn_simulator::xorwow {

struct Polynomial {
    unsigned bits[5];
};

// The characteristic polynomial without x^160, found from 320 numbers by Berlekamp's and Massey's
// algorithm; and x^(2^67) modulo it, which goes on by a subsequence.
constexpr Polynomial CHARACTERISTIC = {{0x60001, 0x8610030, 0x62121, 0xf3c0035, 0xf0e}};
constexpr Polynomial STEP = {{2}};
constexpr Polynomial SUBSEQUENCE = {
    {0x26294934, 0x77bbc248, 0x1a87dad0, 0x930052d4, 0x947e6dd2}};

// What follows is computed in the thread's own memory, and not to be checked.
GPUCNN_UNCHECKED inline void step(unsigned* v)
{
    const unsigned t = v[0] ^ v[0] >> 2;
    for (int i = 0; i < 4; i++) v[i] = v[i + 1];
    v[4] ^= v[4] << 4 ^ t ^ t << 1;
}
GPUCNN_UNCHECKED inline Polynomial times(const Polynomial& a, const Polynomial& b)
{
    Polynomial product = {};
    for (int i = 159; i >= 0; i--) {  // product * x + a, or + 0, by the bits of b
        const unsigned carry = product.bits[4] >> 31 ? ~0u : 0;
        const unsigned bit = b.bits[i / 32] >> i % 32 & 1 ? ~0u : 0;
        for (int j = 4; j >= 0; j--)
            product.bits[j] = product.bits[j] << 1 ^ (j > 0 ? product.bits[j - 1] >> 31 : 0) ^
                              (CHARACTERISTIC.bits[j] & carry) ^ (a.bits[j] & bit);
    }
    return product;
}

// The polynomials whose powers with an exponent of 2^i go on by 2^i steps, or subsequences.
struct Powers {
    Polynomial of[64];
    GPUCNN_UNCHECKED Powers(Polynomial x)
    {
        for (Polynomial& each : of) {
            each = x;
            x = times(x, x);
        }
    }
};
static const Powers steps(STEP), subsequences(SUBSEQUENCE);

// The words after as many steps, or subsequences, as `count` says.
GPUCNN_UNCHECKED inline void go_on(unsigned long long count, const Powers& powers, unsigned* v)
{
    for (int i = 0; i < 64; i++) {
        if (!(count >> i & 1)) continue;
        unsigned sum[5] = {};
        for (int j = 0; j < 160; j++) {
            if (powers.of[i].bits[j / 32] >> j % 32 & 1)
                for (int k = 0; k < 5; k++) sum[k] ^= v[k];
            step(v);
        }
        for (int k = 0; k < 5; k++) v[k] = sum[k];
    }
}

// The same for a state in memory of the kernel.
inline void go_on(unsigned long long count, const Powers& powers, curandStateXORWOW* state)
{
    if (count == 0) return;
    unsigned v[5];
    for (int i = 0; i < 5; i++) v[i] = state->v[i];
    go_on(count, powers, v);
    for (int i = 0; i < 5; i++) state->v[i] = v[i];
}

}  // namespace gpucnn_simulator::xorwow

inline void skipahead(unsigned long long count, curandStateXORWOW* state)
{
    using namespace gpucnn_simulator::xorwow;
    go_on(count, steps, state);
    state->d += 362437u * (unsigned)count;
}
// Each has 2^67 numbers.
inline void skipahead_sequence(unsigned long long count, curandStateXORWOW* state)
{
    using namespace gpucnn_simulator::xorwow;
    go_on(count, subsequences, state);
}
inline void curand_init(
    unsigned long long seed, unsigned long long subsequence, unsigned long long offset,
    curandStateXORWOW* state)
{
    const unsigned low = 1099087573u * ((unsigned)seed ^ 0xaad26b49u);
    const unsigned high = 2591861531u * ((unsigned)(seed >> 32) ^ 0xf7dcefddu);
    *state = {
        6615241u + low + high,
        {123456789u + low, 362436069u ^ low, 521288629u + high, 88675123u ^ high, 5783321u + low}};
    skipahead_sequence(subsequence, state);
    skipahead(offset, state);
}

inline unsigned curand(curandStateXORWOW* state)
{
    unsigned v[5];
    for (int i = 0; i < 5; i++) v[i] = state->v[i];
    gpucnn_simulator::xorwow::step(v);
    for (int i = 0; i < 5; i++) state->v[i] = v[i];
    state->d += 362437;
    return v[4] + state->d;
}
