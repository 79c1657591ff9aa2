// CUDA's integer and bit intrinsics.
#pragma once

inline int __mulhi(int x, int y) { return (int)(((long long)x * y) >> 32); }
inline unsigned __umulhi(unsigned x, unsigned y)
{
    return (unsigned)(((unsigned long long)x * y) >> 32);
}
inline long long __mul64hi(long long x, long long y)
{
    return (long long)(((__int128)x * y) >> 64);
}
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y)
{
    return (unsigned long long)(((unsigned __int128)x * y) >> 64);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x)
{
    unsigned reversed = 0;
    for (int bit = 0; bit < 32; bit++) reversed |= (x >> bit & 1) << (31 - bit);
    return reversed;
}

namespace gpucnn_simulator {
template <typename To, typename From> inline To bits_as(From value)
{
    static_assert(sizeof(To) == sizeof(From));
    To result;
    __builtin_memcpy(&result, &value, sizeof(To));
    return result;
}
}  // namespace gpucnn_simulator

inline int __float_as_int(float x) { return gpucnn_simulator::bits_as<int>(x); }
inline unsigned __float_as_uint(float x) { return gpucnn_simulator::bits_as<unsigned>(x); }
inline float __int_as_float(int x) { return gpucnn_simulator::bits_as<float>(x); }
inline float __uint_as_float(unsigned x) { return gpucnn_simulator::bits_as<float>(x); }
inline long long __double_as_longlong(double x) { return gpucnn_simulator::bits_as<long long>(x); }
inline double __longlong_as_double(long long x) { return gpucnn_simulator::bits_as<double>(x); }

inline unsigned long long __brevll(unsigned long long x)
{
    return (unsigned long long)__brev((unsigned)x) << 32 | __brev((unsigned)(x >> 32));
}
inline int __mul24(int x, int y) { return (int)((unsigned)(x << 8 >> 8) * (unsigned)(y << 8 >> 8)); }
inline unsigned __umul24(unsigned x, unsigned y) { return (x & 0xffffff) * (y & 0xffffff); }
inline unsigned __sad(int x, int y, unsigned sum)
{
    return sum + (unsigned)(x < y ? (long long)y - x : (long long)x - y);
}
inline unsigned __usad(unsigned x, unsigned y, unsigned sum) { return sum + (x < y ? y - x : x - y); }
inline int __hadd(int x, int y) { return (int)(((long long)x + y) >> 1); }
inline int __rhadd(int x, int y) { return (int)(((long long)x + y + 1) >> 1); }
inline unsigned __uhadd(unsigned x, unsigned y)
{
    return (unsigned)(((unsigned long long)x + y) >> 1);
}
inline unsigned __urhadd(unsigned x, unsigned y)
{
    return (unsigned)(((unsigned long long)x + y + 1) >> 1);
}

// Four bytes of the eight of y:x, each chosen by four bits; the highest of these repeats its sign.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selectors)
{
    const unsigned long long bytes = (unsigned long long)y << 32 | x;
    unsigned result = 0;
    for (int i = 0; i < 4; i++) {
        const unsigned selector = selectors >> 4 * i & 0xf;
        unsigned byte = (unsigned)(bytes >> 8 * (selector & 7)) & 0xff;
        if (selector & 8) byte = byte & 0x80 ? 0xff : 0;
        result |= byte << 8 * i;
    }
    return result;
}

// Shifts of hi:lo; by the distance modulo 32, or by 32 at most for those that end in c.
inline unsigned __funnelshift_lc(unsigned lo, unsigned hi, unsigned shift)
{
    const unsigned long long both = (unsigned long long)hi << 32 | lo;
    return (unsigned)(both << (shift < 32 ? shift : 32) >> 32);
}
inline unsigned __funnelshift_rc(unsigned lo, unsigned hi, unsigned shift)
{
    const unsigned long long both = (unsigned long long)hi << 32 | lo;
    return (unsigned)(both >> (shift < 32 ? shift : 32));
}
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned shift)
{
    return __funnelshift_lc(lo, hi, shift & 31);
}
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned shift)
{
    return __funnelshift_rc(lo, hi, shift & 31);
}

inline int __double2hiint(double x) { return (int)(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return (int)__double_as_longlong(x); }
inline double __hiloint2double(int hi, int lo)
{
    return __longlong_as_double((long long)((unsigned long long)(unsigned)hi << 32 | (unsigned)lo));
}
