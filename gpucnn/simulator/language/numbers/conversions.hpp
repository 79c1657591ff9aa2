// CUDA's conversions between numbers, with a rounding mode: to nearest even (rn), towards zero (rz),
// down (rd), up (ru). Integers saturate, and NaN gives 0, or the least long long.
#pragma once

#include "mathematics.hpp"

extern "C" float nextafterf(float, float) noexcept;

namespace gpucnn_simulator {

template <typename To> inline To saturated(double x)
{
    constexpr bool is_signed = (To)-1 < (To)0;
    constexpr int bits = 8 * sizeof(To) - is_signed;
    constexpr To most = (To)(~0ull >> (64 - bits)), least = is_signed ? (To)(-most - 1) : (To)0;
    if (x != x) return sizeof(To) == 8 ? (To)(1ull << 63) : (To)0;
    if (x >= 2.0 * (double)(1ull << (bits - 1))) return most;
    return x <= (double)least ? least : (To)x;
}

inline double rounded_rn(double x) { return __builtin_rint(x); }
inline double rounded_rz(double x) { return __builtin_trunc(x); }
inline double rounded_rd(double x) { return __builtin_floor(x); }
inline double rounded_ru(double x) { return __builtin_ceil(x); }

// A number of any type as a float, from the nearest one and whether it is above or below.
template <typename T> inline int side_of(float nearest, T x)
{
    if constexpr (is_integer<T>) {
        const __int128 whole = nearest >= 0x1p64f ? (__int128)1 << 64 : (__int128)nearest;
        return (whole > (__int128)x) - (whole < (__int128)x);
    }
    return (nearest > x) - (nearest < x);
}
template <typename T> inline float float_rn(T x) { return (float)x; }
template <typename T> inline float float_rd(T x)
{
    const float nearest = (float)x;
    return side_of(nearest, x) > 0 ? nextafterf(nearest, -__builtin_inff()) : nearest;
}
template <typename T> inline float float_ru(T x)
{
    const float nearest = (float)x;
    return side_of(nearest, x) < 0 ? nextafterf(nearest, __builtin_inff()) : nearest;
}
template <typename T> inline float float_rz(T x) { return x < 0 ? float_ru(x) : float_rd(x); }

}  // namespace gpucnn_simulator

#define GPUCNN_EACH_MODE(of, ...)                                                                  \
    of(rn, __VA_ARGS__) of(rz, __VA_ARGS__) of(rd, __VA_ARGS__) of(ru, __VA_ARGS__)
#define GPUCNN_TO_INTEGER(mode, from, real, to, type)                                              \
    inline type __##from##2##to##_##mode(real x)                                                   \
    {                                                                                              \
        return gpucnn_simulator::saturated<type>(gpucnn_simulator::rounded_##mode(x));             \
    }
#define GPUCNN_TO_FLOAT(mode, from, type)                                                          \
    inline float __##from##2float_##mode(type x) { return gpucnn_simulator::float_##mode(x); }
GPUCNN_EACH_MODE(GPUCNN_TO_INTEGER, float, float, int, int)
GPUCNN_EACH_MODE(GPUCNN_TO_INTEGER, float, float, uint, unsigned)
GPUCNN_EACH_MODE(GPUCNN_TO_INTEGER, float, float, ll, long long)
GPUCNN_EACH_MODE(GPUCNN_TO_INTEGER, float, float, ull, unsigned long long)
GPUCNN_EACH_MODE(GPUCNN_TO_INTEGER, double, double, int, int)
GPUCNN_EACH_MODE(GPUCNN_TO_INTEGER, double, double, uint, unsigned)
GPUCNN_EACH_MODE(GPUCNN_TO_INTEGER, double, double, ll, long long)
GPUCNN_EACH_MODE(GPUCNN_TO_INTEGER, double, double, ull, unsigned long long)
GPUCNN_EACH_MODE(GPUCNN_TO_FLOAT, int, int)
GPUCNN_EACH_MODE(GPUCNN_TO_FLOAT, uint, unsigned)
GPUCNN_EACH_MODE(GPUCNN_TO_FLOAT, ll, long long)
GPUCNN_EACH_MODE(GPUCNN_TO_FLOAT, ull, unsigned long long)
GPUCNN_EACH_MODE(GPUCNN_TO_FLOAT, double, double)
inline double __int2double_rn(int x) { return x; }
inline double __uint2double_rn(unsigned x) { return x; }
