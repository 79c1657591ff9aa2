// CUDA's operations on the lanes of a word, which are four bytes or two numbers of 16 bits.
#pragma once

#include "../vectors.hpp"
#include "bits.hpp"

namespace gpucnn_simulator {

// What `compute` gives for each lane of type T; the lower bits of an int are kept.
template <typename T, typename Compute>
inline unsigned each_lane(unsigned a, unsigned b, unsigned c, Compute compute)
{
    constexpr int bits = 8 * sizeof(T);
    unsigned result = 0;
    for (int i = 0; i < 32; i += bits) {
        const unsigned lane = (unsigned)compute((T)(a >> i), (T)(b >> i), (T)(c >> i));
        result |= (lane & (~0u >> (32 - bits))) << i;
    }
    return result;
}

template <typename T, typename Compute>
inline unsigned sum_of_lanes(unsigned a, unsigned b, Compute compute)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < 32; i += 8 * sizeof(T)) sum += compute((T)(a >> i), (T)(b >> i));
    return sum;
}

// The nearest number that a T holds.
template <typename T> inline int within(int x)
{
    constexpr bool is_signed = (T)-1 < (T)0;
    constexpr int most = (1 << (8 * sizeof(T) - is_signed)) - 1, least = is_signed ? -most - 1 : 0;
    return x < least ? least : x > most ? most : x;
}

template <typename T> inline unsigned relu(unsigned x)
{
    return each_lane<T>(x, 0, 0, [](T a, T, T) { return a > 0 ? a : 0; });
}

inline int larger(int a, int b) { return a < b ? b : a; }
inline int smaller(int a, int b) { return b < a ? b : a; }
inline int distance(int a, int b) { return a < b ? b - a : a - b; }

}  // namespace gpucnn_simulator

#define GPUCNN_LANES(name, T, result)                                                              \
    inline unsigned name(unsigned a, unsigned b)                                                   \
    {                                                                                              \
        return gpucnn_simulator::each_lane<T>(                                                     \
            a, b, 0, [](int a, int b, int) { return result; });                                    \
    }
#define GPUCNN_LANES_OF_ONE(name, T, result)                                                       \
    inline unsigned name(unsigned a)                                                               \
    {                                                                                              \
        return gpucnn_simulator::each_lane<T>(a, 0, 0, [](int a, int, int) { return result; });    \
    }
#define GPUCNN_LANES_SUM(name, T)                                                                  \
    inline unsigned name(unsigned a, unsigned b)                                                   \
    {                                                                                              \
        return gpucnn_simulator::sum_of_lanes<T>(a, b, gpucnn_simulator::distance);                \
    }
// A comparison, as a mask and as 0 or 1.
#define GPUCNN_LANES_TEST(name, lanes, T, test)                                                    \
    GPUCNN_LANES(__vcmp##name##lanes, T, (test) ? -1 : 0)                                          \
    GPUCNN_LANES(__vset##name##lanes, T, test)
#define GPUCNN_WORDS_OF(lanes, Signed, Unsigned)                                                   \
    GPUCNN_LANES(__vadd##lanes, Unsigned, a + b)                                                   \
    GPUCNN_LANES(__vaddss##lanes, Signed, gpucnn_simulator::within<Signed>(a + b))                 \
    GPUCNN_LANES(__vaddus##lanes, Unsigned, gpucnn_simulator::within<Unsigned>(a + b))             \
    GPUCNN_LANES(__vsub##lanes, Unsigned, a - b)                                                   \
    GPUCNN_LANES(__vsubss##lanes, Signed, gpucnn_simulator::within<Signed>(a - b))                 \
    GPUCNN_LANES(__vsubus##lanes, Unsigned, gpucnn_simulator::within<Unsigned>(a - b))             \
    GPUCNN_LANES(__vavgs##lanes, Signed, (a + b + (a + b >= 0)) >> 1)                              \
    GPUCNN_LANES(__vavgu##lanes, Unsigned, (a + b + 1) >> 1)                                       \
    GPUCNN_LANES(__vhaddu##lanes, Unsigned, (a + b) >> 1)                                          \
    GPUCNN_LANES(__vabsdiffs##lanes, Signed, gpucnn_simulator::distance(a, b))                     \
    GPUCNN_LANES(__vabsdiffu##lanes, Unsigned, gpucnn_simulator::distance(a, b))                   \
    GPUCNN_LANES(__vmaxs##lanes, Signed, gpucnn_simulator::larger(a, b))                           \
    GPUCNN_LANES(__vmaxu##lanes, Unsigned, gpucnn_simulator::larger(a, b))                         \
    GPUCNN_LANES(__vmins##lanes, Signed, gpucnn_simulator::smaller(a, b))                          \
    GPUCNN_LANES(__vminu##lanes, Unsigned, gpucnn_simulator::smaller(a, b))                        \
    GPUCNN_LANES_OF_ONE(__vabs##lanes, Signed, a < 0 ? -a : a)                                     \
    GPUCNN_LANES_OF_ONE(__vabsss##lanes, Signed, gpucnn_simulator::within<Signed>(a < 0 ? -a : a)) \
    GPUCNN_LANES_OF_ONE(__vneg##lanes, Signed, -a)                                                 \
    GPUCNN_LANES_OF_ONE(__vnegss##lanes, Signed, gpucnn_simulator::within<Signed>(-a))             \
    GPUCNN_LANES_SUM(__vsads##lanes, Signed)                                                       \
    GPUCNN_LANES_SUM(__vsadu##lanes, Unsigned)                                                     \
    GPUCNN_LANES_TEST(eq, lanes, Unsigned, a == b)                                                 \
    GPUCNN_LANES_TEST(ne, lanes, Unsigned, a != b)                                                 \
    GPUCNN_LANES_TEST(ges, lanes, Signed, a >= b)                                                  \
    GPUCNN_LANES_TEST(geu, lanes, Unsigned, a >= b)                                                \
    GPUCNN_LANES_TEST(gts, lanes, Signed, a > b)                                                   \
    GPUCNN_LANES_TEST(gtu, lanes, Unsigned, a > b)                                                 \
    GPUCNN_LANES_TEST(les, lanes, Signed, a <= b)                                                  \
    GPUCNN_LANES_TEST(leu, lanes, Unsigned, a <= b)                                                \
    GPUCNN_LANES_TEST(lts, lanes, Signed, a < b)                                                   \
    GPUCNN_LANES_TEST(ltu, lanes, Unsigned, a < b)
GPUCNN_WORDS_OF(2, short, unsigned short)
GPUCNN_WORDS_OF(4, signed char, unsigned char)
#undef GPUCNN_LANES
#undef GPUCNN_LANES_OF_ONE
#undef GPUCNN_LANES_SUM
#undef GPUCNN_LANES_TEST
#undef GPUCNN_WORDS_OF

// The larger or smaller one (as `symbol` says) of two or three numbers, the first two of which may
// be added; and 0 in place of one below it (relu).
#define GPUCNN_EXTREME(symbol, a, b) ((a)symbol(b) ? (a) : (b))
#define GPUCNN_LANES_OF_THREE(name, T, type, result)                                               \
    inline type name(type a, type b, type c)                                                       \
    {                                                                                              \
        return (type)gpucnn_simulator::each_lane<T>(                                               \
            a, b, c, [](T a, T b, T c) -> T { return result; });                                   \
    }
#define GPUCNN_EXTREMES(name, symbol, suffix, T, type)                                             \
    GPUCNN_LANES_OF_THREE(                                                                         \
        __vi##name##3_##suffix, T, type,                                                           \
        GPUCNN_EXTREME(symbol, GPUCNN_EXTREME(symbol, a, b), c))                                   \
    GPUCNN_LANES_OF_THREE(                                                                         \
        __viadd##name##_##suffix, T, type,                                                         \
        GPUCNN_EXTREME(symbol, (T)((unsigned)a + (unsigned)b), c))
#define GPUCNN_EXTREMES_RELU(name, symbol, suffix, T, type)                                        \
    GPUCNN_EXTREMES(name, symbol, suffix, T, type)                                                 \
    inline type __vi##name##_##suffix##_relu(type a, type b)                                       \
    {                                                                                              \
        return gpucnn_simulator::relu<T>(__vi##name##3_##suffix(a, b, b));                         \
    }                                                                                              \
    inline type __vi##name##3_##suffix##_relu(type a, type b, type c)                              \
    {                                                                                              \
        return gpucnn_simulator::relu<T>(__vi##name##3_##suffix(a, b, c));                         \
    }                                                                                              \
    inline type __viadd##name##_##suffix##_relu(type a, type b, type c)                            \
    {                                                                                              \
        return gpucnn_simulator::relu<T>(__viadd##name##_##suffix(a, b, c));                       \
    }
// And whether it is the first one.
#define GPUCNN_EXTREME_OF_TWO(name, symbol, suffix, type)                                          \
    inline type __vib##name##_##suffix(type a, type b, bool* is_first)                             \
    {                                                                                              \
        *is_first = a symbol##= b;                                                                 \
        return *is_first ? a : b;                                                                  \
    }
#define GPUCNN_EXTREME_OF_PAIRS(name, symbol, suffix, T)                                           \
    inline unsigned __vib##name##_##suffix(                                                        \
        unsigned a, unsigned b, bool* is_first_high, bool* is_first_low)                           \
    {                                                                                              \
        *is_first_high = (T)(a >> 16) symbol##= (T)(b >> 16);                                      \
        *is_first_low = (T)a symbol##= (T)b;                                                       \
        return __vi##name##3_##suffix(a, b, b);                                                    \
    }
#define GPUCNN_EACH_EXTREME(name, symbol)                                                          \
    GPUCNN_EXTREMES_RELU(name, symbol, s32, int, int)                                              \
    GPUCNN_EXTREMES_RELU(name, symbol, s16x2, short, unsigned)                                     \
    GPUCNN_EXTREMES(name, symbol, u32, unsigned, unsigned)                                         \
    GPUCNN_EXTREMES(name, symbol, u16x2, unsigned short, unsigned)                                 \
    GPUCNN_EXTREME_OF_TWO(name, symbol, s32, int)                                                  \
    GPUCNN_EXTREME_OF_TWO(name, symbol, u32, unsigned)                                             \
    GPUCNN_EXTREME_OF_PAIRS(name, symbol, s16x2, short)                                            \
    GPUCNN_EXTREME_OF_PAIRS(name, symbol, u16x2, unsigned short)
GPUCNN_EACH_EXTREME(max, >)
GPUCNN_EACH_EXTREME(min, <)
#undef GPUCNN_EXTREME
#undef GPUCNN_LANES_OF_THREE
#undef GPUCNN_EXTREMES
#undef GPUCNN_EXTREMES_RELU
#undef GPUCNN_EXTREME_OF_TWO
#undef GPUCNN_EXTREME_OF_PAIRS
#undef GPUCNN_EACH_EXTREME

// Dot products of four bytes; of two numbers of 16 bits and the lower or the upper two bytes.
inline int __dp4a(int x, int y, int sum)
{
    for (int i = 0; i < 32; i += 8) sum += (signed char)(x >> i) * (signed char)(y >> i);
    return sum;
}
inline unsigned __dp4a(unsigned x, unsigned y, unsigned sum)
{
    for (int i = 0; i < 32; i += 8) sum += (x >> i & 0xff) * (y >> i & 0xff);
    return sum;
}
inline int __dp2a_lo(int x, int y, int sum)
{
    return sum + (short)x * (signed char)y + (x >> 16) * (signed char)(y >> 8);
}
inline int __dp2a_hi(int x, int y, int sum) { return __dp2a_lo(x, y >> 16, sum); }
inline unsigned __dp2a_lo(unsigned x, unsigned y, unsigned sum)
{
    return sum + (x & 0xffff) * (y & 0xff) + (x >> 16) * (y >> 8 & 0xff);
}
inline unsigned __dp2a_hi(unsigned x, unsigned y, unsigned sum)
{
    return __dp2a_lo(x, y >> 16, sum);
}

#define GPUCNN_DOT(name, type, First, Second)                                                      \
    inline type name(First x, Second y, type sum)                                                  \
    {                                                                                              \
        return name(gpucnn_simulator::bits_as<type>(x), gpucnn_simulator::bits_as<type>(y), sum);  \
    }
GPUCNN_DOT(__dp4a, int, char4, char4)
GPUCNN_DOT(__dp4a, unsigned, uchar4, uchar4)
GPUCNN_DOT(__dp2a_lo, int, short2, char4)
GPUCNN_DOT(__dp2a_lo, unsigned, ushort2, uchar4)
GPUCNN_DOT(__dp2a_hi, int, short2, char4)
GPUCNN_DOT(__dp2a_hi, unsigned, ushort2, uchar4)
#undef GPUCNN_DOT
