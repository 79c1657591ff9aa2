// What numbers of 16 bits have in common: half and bfloat16.
//
// A result is computed as float or double and rounded once more. That is the correctly rounded one,
// as float has more than twice their digits; fma is first rounded to odd.
#pragma once

#include "conversions.hpp"

namespace gpucnn_simulator {

// x * y + z, whose last bit is 1 if it is not exact: rounding it again gives the nearest number.
inline double fma_to_odd(double x, double y, double z)
{
    const double product = x * y, sum = product + z;  // the product of two short numbers is exact
    const double part = sum - product;
    const double rest = (product - (sum - part)) + (z - part);
    unsigned long long bits = bits_as<unsigned long long>(sum);
    if (!(rest != 0) || bits & 1 || sum - sum != 0) return sum;
    bits += (rest > 0) == (sum > 0) ? 1 : -1;
    return bits_as<double>(bits);
}

// The float that rounds to what x rounds to.
inline float to_odd(double x)
{
    const float towards_zero = float_rz(x);
    if (towards_zero == x || x != x) return towards_zero;
    return bits_as<float>(bits_as<unsigned>(towards_zero) | 1);
}

// The double that rounds to what an integer rounds to: what is beyond its digits sets the last.
template <typename Integer> inline double to_double(Integer x)
{
    if constexpr (sizeof(Integer) < 8) return (double)x;
    unsigned long long size = x < 0 ? -(unsigned long long)x : (unsigned long long)x;
    if (size >> 53) size = (size & ~0x7ffull) | (size & 0x7ff ? 0x800 : 0);
    return x < 0 ? -(double)size : (double)size;
}

// The next number of a type of 16 bits, up or down.
template <typename T> inline T next(T x, bool up)
{
    if ((x.bits & 0x7fff) == 0) return T::of_bits(up ? 1 : 0x8001);
    const bool is_negative = x.bits >> 15;
    return T::of_bits((unsigned short)(x.bits + (up != is_negative ? 1 : -1)));
}
template <typename T> inline T narrow_rn(double x) { return T(x); }
template <typename T> inline T narrow_rd(double x)
{
    const T nearest(x);
    return (float)nearest > x ? next(nearest, false) : nearest;
}
template <typename T> inline T narrow_ru(double x)
{
    const T nearest(x);
    return (float)nearest < x ? next(nearest, true) : nearest;
}
template <typename T> inline T narrow_rz(double x)
{
    return x < 0 ? narrow_ru<T>(x) : narrow_rd<T>(x);
}

}  // namespace gpucnn_simulator

// What the type T has besides its conversions from float and double, and to float. T_raw holds bits.
#define GPUCNN_NARROW_MEMBERS(T)                                                                   \
    unsigned short bits;                                                                           \
    T() = default;                                                                                 \
    template <                                                                                     \
        typename Integer,                                                                          \
        typename = typename gpucnn_simulator::If<                                                  \
            gpucnn_simulator::is_integer<Integer>, Integer>::Type>                                 \
    T(Integer x) : T(gpucnn_simulator::to_double(x))                                               \
    {                                                                                              \
    }                                                                                              \
    T(T##_raw raw) : bits(raw.x) {}                                                                \
    operator T##_raw() const { return {bits}; }                                                    \
    static T of_bits(unsigned short bits)                                                          \
    {                                                                                              \
        T h;                                                                                       \
        h.bits = bits;                                                                             \
        return h;                                                                                  \
    }
#define GPUCNN_NARROW_OPERATOR(T, symbol)                                                          \
    inline T operator symbol(const T& x, const T& y) { return T((float)x symbol(float) y); }       \
    inline T& operator symbol##=(T& x, const T& y) { return x = x symbol y; }
#define GPUCNN_NARROW_COMPARISON(T, symbol)                                                        \
    inline bool operator symbol(const T& x, const T& y) { return (float)x symbol(float) y; }
// A function of one or two numbers, and the same on each of a pair.
#define GPUCNN_NARROW_UNARY(T, name, name2, result)                                                \
    inline T name(T h)                                                                             \
    {                                                                                              \
        const float x = h;                                                                         \
        return T(result);                                                                          \
    }                                                                                              \
    inline T##2 name2(T##2 h) { return {name(h.x), name(h.y)}; }
#define GPUCNN_NARROW_BINARY(T, name, name2, result)                                               \
    inline T name(T g, T h)                                                                        \
    {                                                                                              \
        const float x = g, y = h;                                                                  \
        return T(result);                                                                          \
    }                                                                                              \
    inline T##2 name2(T##2 g, T##2 h) { return {name(g.x, h.x), name(g.y, h.y)}; }
// A function of the sum of a number and the product of two.
#define GPUCNN_NARROW_FMA(T, name, name2, result)                                                  \
    inline T name(T x, T y, T z)                                                                   \
    {                                                                                              \
        const double sum = gpucnn_simulator::fma_to_odd((float)x, (float)y, (float)z);             \
        return T(result);                                                                          \
    }                                                                                              \
    inline T##2 name2(T##2 x, T##2 y, T##2 z)                                                      \
    {                                                                                              \
        return {name(x.x, y.x, z.x), name(x.y, y.y, z.y)};                                         \
    }
// Whether a comparison holds: of a pair as 1 and 0, as a mask, and for both. One with NaN holds if
// its name ends in u.
#define GPUCNN_NARROW_TEST_OF_PAIRS(T, name, name2, both)                                          \
    inline T##2 name2(T##2 x, T##2 y)                                                              \
    {                                                                                              \
        return {T((float)name(x.x, y.x)), T((float)name(x.y, y.y))};                               \
    }                                                                                              \
    inline unsigned name2##_mask(T##2 x, T##2 y)                                                   \
    {                                                                                              \
        return (name(x.x, y.x) ? 0xffffu : 0) | (name(x.y, y.y) ? 0xffff0000u : 0);                \
    }                                                                                              \
    inline bool both(T##2 x, T##2 y) { return name(x.x, y.x) && name(x.y, y.y); }
#define GPUCNN_NARROW_TEST(T, test, symbol)                                                        \
    inline bool __h##test(T x, T y) { return (float)x symbol(float) y; }                           \
    inline bool __h##test##u(T x, T y)                                                             \
    {                                                                                              \
        return __hisnan(x) || __hisnan(y) || (float)x symbol(float) y;                             \
    }                                                                                              \
    GPUCNN_NARROW_TEST_OF_PAIRS(T, __h##test, __h##test##2, __hb##test##2)                         \
    GPUCNN_NARROW_TEST_OF_PAIRS(T, __h##test##u, __h##test##u2, __hb##test##u2)
// A shuffle of the bits: `which` is a lane, a distance or a pattern.
#define GPUCNN_NARROW_SHUFFLE(T, name, type)                                                       \
    inline T name(unsigned mask, T value, type which, int width = 32, GPUCNN_WHERE)                \
    {                                                                                              \
        return T::of_bits(                                                                         \
            (unsigned short)name(mask, (int)value.bits, which, width, file, line));                \
    }

#define GPUCNN_NARROW(T)                                                                           \
    struct alignas(4) T##2 {                                                                       \
        T x, y;                                                                                    \
        T##2() = default;                                                                          \
        T##2(T x, T y) : x(x), y(y) {}                                                             \
    };                                                                                             \
    GPUCNN_NARROW_OPERATOR(T, +)                                                                   \
    GPUCNN_NARROW_OPERATOR(T, -)                                                                   \
    GPUCNN_NARROW_OPERATOR(T, *)                                                                   \
    GPUCNN_NARROW_OPERATOR(T, /)                                                                   \
    GPUCNN_NARROW_COMPARISON(T, ==)                                                                \
    GPUCNN_NARROW_COMPARISON(T, !=)                                                                \
    GPUCNN_NARROW_COMPARISON(T, <)                                                                 \
    GPUCNN_NARROW_COMPARISON(T, <=)                                                                \
    GPUCNN_NARROW_COMPARISON(T, >)                                                                 \
    GPUCNN_NARROW_COMPARISON(T, >=)                                                                \
    inline T operator+(const T& x) { return x; }                                                   \
    inline T operator-(const T& x) { return T(-(float)x); }                                        \
    inline bool __hisnan(T x) { return __builtin_isnan((float)x); }                                \
    inline int __hisinf(T x)                                                                       \
    {                                                                                              \
        return __builtin_isinf((float)x) ? ((float)x > 0 ? 1 : -1) : 0;                            \
    }                                                                                              \
    GPUCNN_NARROW_BINARY(T, __hadd, __hadd2, x + y)                                                \
    GPUCNN_NARROW_BINARY(T, __hsub, __hsub2, x - y)                                                \
    GPUCNN_NARROW_BINARY(T, __hmul, __hmul2, x* y)                                                 \
    GPUCNN_NARROW_BINARY(T, __hdiv, __h2div, x / y)                                                \
    GPUCNN_NARROW_BINARY(T, __hadd_rn, __hadd2_rn, x + y)                                          \
    GPUCNN_NARROW_BINARY(T, __hsub_rn, __hsub2_rn, x - y)                                          \
    GPUCNN_NARROW_BINARY(T, __hmul_rn, __hmul2_rn, x* y)                                           \
    GPUCNN_NARROW_BINARY(T, __hadd_sat, __hadd2_sat, __saturatef(x + y))                           \
    GPUCNN_NARROW_BINARY(T, __hsub_sat, __hsub2_sat, __saturatef(x - y))                           \
    GPUCNN_NARROW_BINARY(T, __hmul_sat, __hmul2_sat, __saturatef(x* y))                            \
    GPUCNN_NARROW_BINARY(T, __hmin, __hmin2, fminf(x, y))                                          \
    GPUCNN_NARROW_BINARY(T, __hmax, __hmax2, fmaxf(x, y))                                          \
    GPUCNN_NARROW_BINARY(T, __hmin_nan, __hmin2_nan, x == x && y == y ? fminf(x, y) : x + y)       \
    GPUCNN_NARROW_BINARY(T, __hmax_nan, __hmax2_nan, x == x && y == y ? fmaxf(x, y) : x + y)       \
    GPUCNN_NARROW_UNARY(T, __hneg, __hneg2, -x)                                                    \
    GPUCNN_NARROW_UNARY(T, __habs, __habs2, fabsf(x))                                              \
    GPUCNN_NARROW_UNARY(T, hexp, h2exp, expf(x))                                                   \
    GPUCNN_NARROW_UNARY(T, hexp2, h2exp2, exp2f(x))                                                \
    GPUCNN_NARROW_UNARY(T, hexp10, h2exp10, exp10f(x))                                             \
    GPUCNN_NARROW_UNARY(T, hlog, h2log, logf(x))                                                   \
    GPUCNN_NARROW_UNARY(T, hlog2, h2log2, log2f(x))                                                \
    GPUCNN_NARROW_UNARY(T, hlog10, h2log10, log10f(x))                                             \
    GPUCNN_NARROW_UNARY(T, hsin, h2sin, sinf(x))                                                   \
    GPUCNN_NARROW_UNARY(T, hcos, h2cos, cosf(x))                                                   \
    GPUCNN_NARROW_UNARY(T, htanh, h2tanh, tanhf(x))                                                \
    GPUCNN_NARROW_UNARY(T, htanh_approx, h2tanh_approx, tanhf(x))                                  \
    GPUCNN_NARROW_UNARY(T, hsqrt, h2sqrt, sqrtf(x))                                                \
    GPUCNN_NARROW_UNARY(T, hrsqrt, h2rsqrt, 1 / sqrt((double)x))                                   \
    GPUCNN_NARROW_UNARY(T, hrcp, h2rcp, 1 / x)                                                     \
    GPUCNN_NARROW_UNARY(T, hceil, h2ceil, ceilf(x))                                                \
    GPUCNN_NARROW_UNARY(T, hfloor, h2floor, floorf(x))                                             \
    GPUCNN_NARROW_UNARY(T, htrunc, h2trunc, truncf(x))                                             \
    GPUCNN_NARROW_UNARY(T, hrint, h2rint, rintf(x))                                                \
    GPUCNN_NARROW_TEST(T, eq, ==)                                                                  \
    GPUCNN_NARROW_TEST(T, ne, !=)                                                                  \
    GPUCNN_NARROW_TEST(T, lt, <)                                                                   \
    GPUCNN_NARROW_TEST(T, le, <=)                                                                  \
    GPUCNN_NARROW_TEST(T, gt, >)                                                                   \
    GPUCNN_NARROW_TEST(T, ge, >=)                                                                  \
    inline T##2 __hisnan2(T##2 x)                                                                  \
    {                                                                                              \
        return {T((float)__hisnan(x.x)), T((float)__hisnan(x.y))};                                 \
    }                                                                                              \
    GPUCNN_NARROW_FMA(T, __hfma, __hfma2, sum)                                                     \
    GPUCNN_NARROW_FMA(T, __hfma_sat, __hfma2_sat, __saturatef((float)T(sum)))                      \
    GPUCNN_NARROW_FMA(T, __hfma_relu, __hfma2_relu, sum < 0 ? 0 : sum)                             \
    inline T##2 __hcmadd(T##2 x, T##2 y, T##2 z)                                                   \
    {                                                                                              \
        return {                                                                                   \
            __hfma(-x.y, y.y, __hfma(x.x, y.x, z.x)), __hfma(x.y, y.x, __hfma(x.x, y.y, z.y))};    \
    }                                                                                              \
    inline T##2 operator+(T##2 x, T##2 y) { return __hadd2(x, y); }                                \
    inline T##2 operator-(T##2 x, T##2 y) { return __hsub2(x, y); }                                \
    inline T##2 operator*(T##2 x, T##2 y) { return __hmul2(x, y); }                                \
    inline T##2 operator/(T##2 x, T##2 y) { return __h2div(x, y); }                                \
    inline T atomicAdd(T* address, T value)                                                        \
    {                                                                                              \
        return gpucnn_simulator::change_atomically(address, [=](T old) { return old + value; });   \
    }                                                                                              \
    inline T##2 atomicAdd(T##2* address, T##2 value)                                               \
    {                                                                                              \
        return {atomicAdd(&address->x, value.x), atomicAdd(&address->y, value.y)};                 \
    }                                                                                              \
    GPUCNN_NARROW_SHUFFLE(T, __shfl_sync, int)                                                     \
    GPUCNN_NARROW_SHUFFLE(T, __shfl_up_sync, unsigned)                                             \
    GPUCNN_NARROW_SHUFFLE(T, __shfl_down_sync, unsigned)                                           \
    GPUCNN_NARROW_SHUFFLE(T, __shfl_xor_sync, int)

// From and to an integer, with a rounding mode.
#define GPUCNN_NARROW_TO_INTEGER(mode, T, name, integer, type)                                     \
    inline type __##name##2##integer##_##mode(T x)                                                 \
    {                                                                                              \
        return gpucnn_simulator::saturated<type>(gpucnn_simulator::rounded_##mode((float)x));      \
    }
#define GPUCNN_NARROW_INTEGER(mode, T, name, integer, type)                                        \
    inline T __##integer##2##name##_##mode(type x)                                                 \
    {                                                                                              \
        return gpucnn_simulator::narrow_##mode<T>(gpucnn_simulator::to_double(x));                 \
    }                                                                                              \
    GPUCNN_NARROW_TO_INTEGER(mode, T, name, integer, type)

// The conversions of a type T, whose name in functions is given: half or bfloat16.
#define GPUCNN_NARROW_CONVERSIONS(T, name)                                                         \
    inline T __float2##name(float x) { return T(x); }                                              \
    inline T __float2##name##_rn(float x) { return T(x); }                                         \
    inline T __double2##name(double x) { return T(x); }                                            \
    inline float __##name##2float(T x) { return x; }                                               \
    inline T __float2##name##_rz(float x) { return gpucnn_simulator::narrow_rz<T>(x); }            \
    inline T __float2##name##_rd(float x) { return gpucnn_simulator::narrow_rd<T>(x); }            \
    inline T __float2##name##_ru(float x) { return gpucnn_simulator::narrow_ru<T>(x); }            \
    GPUCNN_EACH_MODE(GPUCNN_NARROW_INTEGER, T, name, int, int)                                     \
    GPUCNN_EACH_MODE(GPUCNN_NARROW_INTEGER, T, name, uint, unsigned)                               \
    GPUCNN_EACH_MODE(GPUCNN_NARROW_INTEGER, T, name, short, short)                                 \
    GPUCNN_EACH_MODE(GPUCNN_NARROW_INTEGER, T, name, ushort, unsigned short)                       \
    GPUCNN_EACH_MODE(GPUCNN_NARROW_INTEGER, T, name, ll, long long)                                \
    GPUCNN_EACH_MODE(GPUCNN_NARROW_INTEGER, T, name, ull, unsigned long long)                      \
    GPUCNN_NARROW_TO_INTEGER(rz, T, name, char, signed char)                                       \
    GPUCNN_NARROW_TO_INTEGER(rz, T, name, uchar, unsigned char)                                    \
    inline T __ushort_as_##name(unsigned short x) { return T::of_bits(x); }                        \
    inline T __short_as_##name(short x) { return T::of_bits((unsigned short)x); }                  \
    inline unsigned short __##name##_as_ushort(T x) { return x.bits; }                             \
    inline short __##name##_as_short(T x) { return (short)x.bits; }                                \
    inline T##2 __float2##name##2_rn(float x) { return {T(x), T(x)}; }                             \
    inline T##2 __floats2##name##2_rn(float x, float y) { return {T(x), T(y)}; }                   \
    inline T##2 __float22##name##2_rn(float2 v) { return {T(v.x), T(v.y)}; }                       \
    inline float2 __##name##22float2(T##2 v) { return {v.x, v.y}; }                                \
    inline T##2 __##name##2##name##2(T x) { return {x, x}; }                                       \
    inline T __low2##name(T##2 v) { return v.x; }                                                  \
    inline T __high2##name(T##2 v) { return v.y; }                                                 \
    inline T##2 __low2##name##2(T##2 v) { return {v.x, v.x}; }                                     \
    inline T##2 __high2##name##2(T##2 v) { return {v.y, v.y}; }                                    \
    inline float __low2float(T##2 v) { return v.x; }                                               \
    inline float __high2float(T##2 v) { return v.y; }                                              \
    inline T##2 __lows2##name##2(T##2 v, T##2 w) { return {v.x, w.x}; }                            \
    inline T##2 __highs2##name##2(T##2 v, T##2 w) { return {v.y, w.y}; }                           \
    inline T##2 __lowhigh2highlow(T##2 v) { return {v.y, v.x}; }
