// CUDA's mathematical functions.
#pragma once

#include "../types.hpp"

// The functions of double are the C library's. Those of float are templates in a namespace of their
// own with an empty parameter pack: if a source includes <cmath>, its overloads do not collide with
// them, and are preferred. In the global namespace `::name` means all of them.
#define GPUCNN_UNARY(name)                                                                         \
    extern "C" double name(double) noexcept;                                                       \
    extern "C" float name##f(float) noexcept;                                                      \
    namespace gpucnn_simulator::mathematics {                                                      \
    using ::name;                                                                                  \
    template <typename T, typename... Nothing> constexpr RealOf<T> name(T x, Nothing...)           \
    {                                                                                              \
        if constexpr (same<T, float>)                                                              \
            return name##f(x);                                                                     \
        else                                                                                       \
            return ::name((double)x);                                                              \
    }                                                                                              \
    }                                                                                              \
    using gpucnn_simulator::mathematics::name;

#define GPUCNN_BINARY(name)                                                                        \
    extern "C" double name(double, double) noexcept;                                               \
    extern "C" float name##f(float, float) noexcept;                                               \
    namespace gpucnn_simulator::mathematics {                                                      \
    using ::name;                                                                                  \
    template <typename A, typename B, typename... Nothing>                                         \
    constexpr RealOfTwo<A, B> name(A x, B y, Nothing...)                                           \
    {                                                                                              \
        if constexpr (same<RealOfTwo<A, B>, float>)                                                \
            return name##f(x, y);                                                                  \
        else                                                                                       \
            return ::name((double)x, (double)y);                                                   \
    }                                                                                              \
    }                                                                                              \
    using gpucnn_simulator::mathematics::name;

GPUCNN_UNARY(exp)
GPUCNN_UNARY(exp2)
GPUCNN_UNARY(exp10)
GPUCNN_UNARY(expm1)
GPUCNN_UNARY(log)
GPUCNN_UNARY(log2)
GPUCNN_UNARY(log10)
GPUCNN_UNARY(log1p)
GPUCNN_UNARY(sqrt)
GPUCNN_UNARY(cbrt)
GPUCNN_UNARY(sin)
GPUCNN_UNARY(cos)
GPUCNN_UNARY(tan)
GPUCNN_UNARY(asin)
GPUCNN_UNARY(acos)
GPUCNN_UNARY(atan)
GPUCNN_UNARY(sinh)
GPUCNN_UNARY(cosh)
GPUCNN_UNARY(tanh)
GPUCNN_UNARY(asinh)
GPUCNN_UNARY(acosh)
GPUCNN_UNARY(atanh)
GPUCNN_UNARY(erf)
GPUCNN_UNARY(erfc)
GPUCNN_UNARY(j0)
GPUCNN_UNARY(j1)
GPUCNN_UNARY(y0)
GPUCNN_UNARY(y1)
GPUCNN_UNARY(logb)
GPUCNN_UNARY(tgamma)
GPUCNN_UNARY(lgamma)
GPUCNN_UNARY(floor)
GPUCNN_UNARY(ceil)
GPUCNN_UNARY(round)
GPUCNN_UNARY(trunc)
GPUCNN_UNARY(rint)
GPUCNN_UNARY(nearbyint)
GPUCNN_UNARY(fabs)
GPUCNN_BINARY(pow)
GPUCNN_BINARY(fmod)
GPUCNN_BINARY(remainder)
GPUCNN_BINARY(atan2)
GPUCNN_BINARY(hypot)
GPUCNN_BINARY(fmax)
GPUCNN_BINARY(fmin)
GPUCNN_BINARY(fdim)
GPUCNN_BINARY(copysign)
GPUCNN_BINARY(nextafter)

extern "C" double fma(double, double, double) noexcept;
extern "C" float fmaf(float, float, float) noexcept;
extern "C" double ldexp(double, int) noexcept;
extern "C" float ldexpf(float, int) noexcept;
extern "C" void sincos(double, double*, double*) noexcept;
extern "C" void sincosf(float, float*, float*) noexcept;
extern "C" int abs(int) noexcept;

inline double rsqrt(double x) { return 1 / sqrt(x); }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline double sinpi(double x) { return sin(3.14159265358979323846 * (x - 2 * rint(x / 2))); }
inline double cospi(double x) { return cos(3.14159265358979323846 * (x - 2 * rint(x / 2))); }
inline float sinpif(float x) { return (float)sinpi((double)x); }
inline float cospif(float x) { return (float)cospi((double)x); }
inline double rcbrt(double x) { return 1 / cbrt(x); }
inline float rcbrtf(float x) { return 1 / cbrtf(x); }
inline double rhypot(double x, double y) { return 1 / hypot(x, y); }
inline float rhypotf(float x, float y) { return 1 / hypotf(x, y); }
extern "C" double frexp(double, int*) noexcept;
extern "C" float frexpf(float, int*) noexcept;
extern "C" double modf(double, double*) noexcept;
extern "C" float modff(float, float*) noexcept;
extern "C" long lrint(double) noexcept;
extern "C" long lrintf(float) noexcept;
extern "C" long lround(double) noexcept;
extern "C" long lroundf(float) noexcept;
extern "C" long long llrint(double) noexcept;
extern "C" long long llround(double) noexcept;
extern "C" long long llrintf(float) noexcept;
extern "C" long long llroundf(float) noexcept;
extern "C" int ilogb(double) noexcept;
extern "C" int ilogbf(float) noexcept;
extern "C" double scalbln(double, long) noexcept;
extern "C" float scalblnf(float, long) noexcept;
extern "C" double remquo(double, double, int*) noexcept;
extern "C" float remquof(float, float, int*) noexcept;
extern "C" double nan(const char*) noexcept;
extern "C" float nanf(const char*) noexcept;
extern "C" long labs(long) noexcept;
extern "C" long long llabs(long long) noexcept;
extern "C" double scalbn(double, int) noexcept;
extern "C" float scalbnf(float, int) noexcept;
inline void sincospi(double x, double* sine, double* cosine)
{
    *sine = sinpi(x), *cosine = cospi(x);
}
inline void sincospif(float x, float* sine, float* cosine)
{
    *sine = sinpif(x), *cosine = cospif(x);
}
inline float fdividef(float x, float y) { return x / y; }
inline void sincos(float x, float* sine, float* cosine) { sincosf(x, sine, cosine); }

namespace gpucnn_simulator::mathematics {

template <typename T> using Float = typename If<same<T, float>, float>::Type;
template <typename T> using AnyReal = typename If<is_real<T>, T>::Type;
template <typename T> using WideOrReal = typename If<(sizeof(T) >= 8 || is_real<T>), T>::Type;

template <typename T> inline Float<T> fma(T x, T y, T z) { return fmaf(x, y, z); }
template <typename T> inline Float<T> ldexp(T x, int exponent) { return ldexpf(x, exponent); }

template <typename T, typename = AnyReal<T>> inline bool isnan(T x) { return __builtin_isnan(x); }
template <typename T, typename = AnyReal<T>> inline bool isinf(T x) { return __builtin_isinf(x); }
template <typename T, typename = AnyReal<T>> inline bool isfinite(T x)
{
    return __builtin_isfinite(x);
}
template <typename T, typename = AnyReal<T>> inline bool signbit(T x)
{
    return __builtin_signbit(x);
}

template <typename T> inline WideOrReal<T> abs(T x)
{
    if constexpr (is_real<T>)
        return fabs(x);
    else
        return x < 0 ? -x : x;
}

// If one of two reals is NaN, the other is returned; int and unsigned are compared as unsigned.
template <typename A, typename B> inline Common<A, B> min(A a, B b)
{
    const Common<A, B> x = a, y = b;
    if constexpr (is_real<Common<A, B>>)
        return fmin(x, y);
    else
        return y < x ? y : x;
}
template <typename A, typename B> inline Common<A, B> max(A a, B b)
{
    const Common<A, B> x = a, y = b;
    if constexpr (is_real<Common<A, B>>)
        return fmax(x, y);
    else
        return x < y ? y : x;
}

}  // namespace gpucnn_simulator::mathematics

using namespace gpucnn_simulator::mathematics;
using gpucnn_simulator::mathematics::abs;
using gpucnn_simulator::mathematics::fma;
using gpucnn_simulator::mathematics::ldexp;

inline unsigned umin(unsigned a, unsigned b) { return b < a ? b : a; }
inline unsigned umax(unsigned a, unsigned b) { return a < b ? b : a; }
inline long long llmin(long long a, long long b) { return b < a ? b : a; }
inline long long llmax(long long a, long long b) { return a < b ? b : a; }
inline unsigned long long ullmin(unsigned long long a, unsigned long long b)
{
    return b < a ? b : a;
}
inline unsigned long long ullmax(unsigned long long a, unsigned long long b)
{
    return a < b ? b : a;
}

// CUDA's fast approximate functions: as exact as the others here. They are macros where a C library
// has a function of that name.
#define __expf expf
#define __exp10f exp10f
#define __logf logf
#define __log2f log2f
#define __log10f log10f
#define __powf powf
#define __sinf sinf
#define __cosf cosf
#define __tanf tanf
#define __sincosf sincosf
#define __tanhf tanhf
inline float __fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
