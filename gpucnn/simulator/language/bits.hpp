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
