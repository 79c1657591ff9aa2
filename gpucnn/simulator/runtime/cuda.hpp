// CUDA's language for a C++ compiler: what a kernel can use without including anything.
//
// __global__, __shared__ and __launch_bounds__ are not here: they are taken out of the preprocessed
// text, see source.py.
#pragma once

#include "runtime.hpp"

#define __CUDACC__ 1
#define __CUDACC_RTC__ 1
#define __CUDA_ARCH__ 900

#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) __attribute__((aligned(bytes)))

typedef decltype(sizeof(0)) size_t;
typedef decltype((char*)0 - (char*)0) ptrdiff_t;

static const uint3& threadIdx = gpucnn_simulator::thread_index;
static const uint3& blockIdx = gpucnn_simulator::block_index;
static const dim3& blockDim = gpucnn_simulator::block_size;
static const dim3& gridDim = gpucnn_simulator::grid_size;
static constexpr int warpSize = 32;

// Vector types, with CUDA's alignments ------------------------------------------------------------

#define GPUCNN_VECTORS(name, type, alignment_2, alignment_4)                                       \
    struct name##1 {                                                                               \
        type x;                                                                                    \
    };                                                                                             \
    struct __align__(alignment_2) name##2 {                                                        \
        type x, y;                                                                                 \
    };                                                                                             \
    struct __align__(alignment_4) name##4 {                                                        \
        type x, y, z, w;                                                                           \
    };                                                                                             \
    inline name##1 make_##name##1(type x) { return {x}; }                                          \
    inline name##2 make_##name##2(type x, type y) { return {x, y}; }                               \
    inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }

#define GPUCNN_VECTOR_3(name, type)                                                                \
    struct name##3 {                                                                               \
        type x, y, z;                                                                              \
    };

#define GPUCNN_MAKE_3(name, type)                                                                  \
    inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }

#define GPUCNN_EACH_VECTOR_BUT_UINT(of)                                                            \
    of(char, signed char) of(uchar, unsigned char) of(short, short) of(ushort, unsigned short)     \
    of(int, int) of(long, long) of(ulong, unsigned long) of(longlong, long long)                   \
    of(ulonglong, unsigned long long) of(float, float) of(double, double)

GPUCNN_VECTORS(char, signed char, 2, 4)
GPUCNN_VECTORS(uchar, unsigned char, 2, 4)
GPUCNN_VECTORS(short, short, 4, 8)
GPUCNN_VECTORS(ushort, unsigned short, 4, 8)
GPUCNN_VECTORS(int, int, 8, 16)
GPUCNN_VECTORS(uint, unsigned, 8, 16)
GPUCNN_VECTORS(long, long, 16, 16)
GPUCNN_VECTORS(ulong, unsigned long, 16, 16)
GPUCNN_VECTORS(longlong, long long, 16, 16)
GPUCNN_VECTORS(ulonglong, unsigned long long, 16, 16)
GPUCNN_VECTORS(float, float, 8, 16)
GPUCNN_VECTORS(double, double, 16, 16)
GPUCNN_EACH_VECTOR_BUT_UINT(GPUCNN_VECTOR_3)
GPUCNN_EACH_VECTOR_BUT_UINT(GPUCNN_MAKE_3)
GPUCNN_MAKE_3(uint, unsigned)

// Types -------------------------------------------------------------------------------------------

namespace gpucnn_simulator {

template <bool condition, typename T> struct If {};
template <typename T> struct If<true, T> {
    using Type = T;
};
template <typename A, typename B> constexpr bool same = false;
template <typename A> constexpr bool same<A, A> = true;
template <typename A, typename B> struct Pair {
    using Type = double;
};
template <typename A> struct Pair<A, A> {
    using Type = A;
};

template <typename T> constexpr bool is_real = same<T, float> || same<T, double>;
template <typename T> constexpr bool is_integer = false;
#define GPUCNN_INTEGER(type) template <> inline constexpr bool is_integer<type> = true;
GPUCNN_INTEGER(bool)
GPUCNN_INTEGER(char)
GPUCNN_INTEGER(signed char)
GPUCNN_INTEGER(unsigned char)
GPUCNN_INTEGER(short)
GPUCNN_INTEGER(unsigned short)
GPUCNN_INTEGER(int)
GPUCNN_INTEGER(unsigned)
GPUCNN_INTEGER(long)
GPUCNN_INTEGER(unsigned long)
GPUCNN_INTEGER(long long)
GPUCNN_INTEGER(unsigned long long)

template <typename T> constexpr bool is_number = is_real<T> || is_integer<T>;

template <typename T> struct Real {
    using Type = double;
};
template <> struct Real<float> {
    using Type = float;
};

// What a function of reals gives for T: float for float, and double for integers.
template <typename T>
using RealOf = typename If<is_integer<T> || same<T, float>, typename Real<T>::Type>::Type;

// What a function of two reals gives: float for two floats, else double.
template <typename A, typename B>
using RealOfTwo = typename If<
    is_number<A> && is_number<B> && !(same<A, double> && same<B, double>),
    typename Real<typename Pair<A, B>::Type>::Type>::Type;

template <typename A, typename B>
using Common = typename If<is_number<A> && is_number<B>, decltype(true ? A() : B())>::Type;

}  // namespace gpucnn_simulator

// Mathematics -------------------------------------------------------------------------------------

// Double's functions are those of the C library. Float's are templates in a namespace of their own,
// and take a pack of nothing, so that those of <cmath> do not collide with them and are preferred,
// if a source includes it.
#define GPUCNN_UNARY(name)                                                                         \
    extern "C" double name(double) noexcept;                                                       \
    extern "C" float name##f(float) noexcept;                                                      \
    namespace gpucnn_simulator::mathematics {                                                      \
    using ::name;                                                                                  \
    template <typename T, typename... Nothing> inline RealOf<T> name(T x, Nothing...)              \
    {                                                                                              \
        if constexpr (same<T, float>)                                                              \
            return name##f(x);                                                                     \
        else                                                                                       \
            return ::name((double)x);                                                              \
    }                                                                                              \
    }

#define GPUCNN_BINARY(name)                                                                        \
    extern "C" double name(double, double) noexcept;                                               \
    extern "C" float name##f(float, float) noexcept;                                               \
    namespace gpucnn_simulator::mathematics {                                                      \
    using ::name;                                                                                  \
    template <typename A, typename B, typename... Nothing>                                         \
    inline RealOfTwo<A, B> name(A x, B y, Nothing...)                                              \
    {                                                                                              \
        if constexpr (same<RealOfTwo<A, B>, float>)                                                \
            return name##f(x, y);                                                                  \
        else                                                                                       \
            return ::name((double)x, (double)y);                                                   \
    }                                                                                              \
    }

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

// Of two reals, the one that is a number; of an int and an unsigned, as unsigned.
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

// CUDA's faster and coarser functions, and those of a stated rounding: here as exact as the others.
// Macros, where a C library has a function of that name.
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
inline float __fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dsub_rn(double x, double y) { return x - y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __ddiv_rn(double x, double y) { return x / y; }
inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
inline double __dsqrt_rn(double x) { return sqrt(x); }

// Integers and bits -------------------------------------------------------------------------------

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

template <typename T> inline T __ldg(const T* address) { return *address; }

// Waiting for other threads -----------------------------------------------------------------------

#define GPUCNN_WHERE const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define GPUCNN_PLACE(name) gpucnn_simulator::Place{name, file, line}

inline void __syncthreads(GPUCNN_WHERE)
{
    gpucnn_simulator::wait_for_block(GPUCNN_PLACE("__syncthreads"), 0);
}
inline int __syncthreads_count(int predicate, GPUCNN_WHERE)
{
    return gpucnn_simulator::wait_for_block(GPUCNN_PLACE("__syncthreads_count"), predicate);
}
inline int __syncthreads_and(int predicate, GPUCNN_WHERE)
{
    return !gpucnn_simulator::wait_for_block(GPUCNN_PLACE("__syncthreads_and"), !predicate);
}
inline int __syncthreads_or(int predicate, GPUCNN_WHERE)
{
    return gpucnn_simulator::wait_for_block(GPUCNN_PLACE("__syncthreads_or"), predicate) != 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, GPUCNN_WHERE)
{
    gpucnn_simulator::wait_for_warp(GPUCNN_PLACE("__syncwarp"), mask);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, GPUCNN_WHERE)
{
    return gpucnn_simulator::vote(GPUCNN_PLACE("__ballot_sync"), mask, predicate);
}
inline int __any_sync(unsigned mask, int predicate, GPUCNN_WHERE)
{
    return gpucnn_simulator::vote(GPUCNN_PLACE("__any_sync"), mask, predicate) != 0;
}
inline int __all_sync(unsigned mask, int predicate, GPUCNN_WHERE)
{
    return gpucnn_simulator::vote(GPUCNN_PLACE("__all_sync"), mask, !predicate) == 0;
}

namespace gpucnn_simulator {

// The first lane of the group of `width` lanes that the running thread's is in.
inline int first_of_group(Place place, int width)
{
    if (width < 1 || width > 32 || (width & (width - 1)) != 0)
        fail(place, "has a width that is none of 1, 2, 4, 8, 16 and 32: give one of them");
    return lane() & ~(width - 1);
}

// Integers smaller than int are shuffled as int.
template <typename T> using Shuffled = decltype(+typename If<is_number<T>, T>::Type());

template <typename T>
inline Shuffled<T> shuffle_value(Place place, unsigned mask, Shuffled<T> value, int source)
{
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(value));
    bits = shuffle(place, mask, bits, source);
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}

}  // namespace gpucnn_simulator

template <typename T>
inline auto __shfl_sync(unsigned mask, T value, int source, int width = 32, GPUCNN_WHERE)
{
    const auto place = GPUCNN_PLACE("__shfl_sync");
    const int first = gpucnn_simulator::first_of_group(place, width);
    return gpucnn_simulator::shuffle_value<T>(place, mask, value, first + (source & (width - 1)));
}
template <typename T>
inline auto __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32, GPUCNN_WHERE)
{
    const auto place = GPUCNN_PLACE("__shfl_up_sync");
    const int first = gpucnn_simulator::first_of_group(place, width);
    const int lane = gpucnn_simulator::lane();
    const bool inside = distance <= (unsigned)(lane - first);
    return gpucnn_simulator::shuffle_value<T>(place, mask, value, inside ? lane - distance : lane);
}
template <typename T>
inline auto __shfl_down_sync(
    unsigned mask, T value, unsigned distance, int width = 32, GPUCNN_WHERE)
{
    const auto place = GPUCNN_PLACE("__shfl_down_sync");
    const int first = gpucnn_simulator::first_of_group(place, width);
    const int lane = gpucnn_simulator::lane();
    const bool inside = distance < (unsigned)(first + width - lane);
    return gpucnn_simulator::shuffle_value<T>(place, mask, value, inside ? lane + distance : lane);
}
template <typename T>
inline auto __shfl_xor_sync(unsigned mask, T value, int pattern, int width = 32, GPUCNN_WHERE)
{
    const auto place = GPUCNN_PLACE("__shfl_xor_sync");
    const int first = gpucnn_simulator::first_of_group(place, width);
    const int lane = gpucnn_simulator::lane();
    const int source = lane ^ pattern;  // lanes of earlier groups can be read, of later ones not
    return gpucnn_simulator::shuffle_value<T>(
        place, mask, value, source >= 0 && source < first + width ? source : lane);
}

inline void __threadfence() { gpucnn_simulator::fence(); }
inline void __threadfence_block() { gpucnn_simulator::fence(); }
inline void __threadfence_system() { gpucnn_simulator::fence(); }

[[noreturn]] inline void __trap(GPUCNN_WHERE)
{
    gpucnn_simulator::fail(GPUCNN_PLACE("__trap"), "was called: see why the kernel gives up there");
}

// Atomics -----------------------------------------------------------------------------------------

namespace gpucnn_simulator {

// Replaces *address by change(*address), and returns what was there.
template <typename T, typename Change> inline T change_atomically(T* address, Change change)
{
    T old;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    for (;;) {
        T changed = change(old);
        if (__atomic_compare_exchange(
                address, &old, &changed, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return old;
    }
}

}  // namespace gpucnn_simulator

#define GPUCNN_ATOMIC(name, type, result)                                                          \
    inline type name(type* address, type value)                                                    \
    {                                                                                              \
        return gpucnn_simulator::change_atomically(                                                \
            address, [value](type old) -> type { return result; });                                \
    }
// Signed numbers wrap around, as they do on the device.
#define GPUCNN_WRAPPED(operation) (int)((unsigned)old operation(unsigned) value)

GPUCNN_ATOMIC(atomicAdd, int, GPUCNN_WRAPPED(+))
GPUCNN_ATOMIC(atomicAdd, unsigned, old + value)
GPUCNN_ATOMIC(atomicAdd, unsigned long long, old + value)
GPUCNN_ATOMIC(atomicAdd, float, old + value)
GPUCNN_ATOMIC(atomicAdd, double, old + value)
GPUCNN_ATOMIC(atomicSub, int, GPUCNN_WRAPPED(-))
GPUCNN_ATOMIC(atomicSub, unsigned, old - value)
GPUCNN_ATOMIC(atomicExch, int, ((void)old, value))
GPUCNN_ATOMIC(atomicExch, unsigned, ((void)old, value))
GPUCNN_ATOMIC(atomicExch, unsigned long long, ((void)old, value))
GPUCNN_ATOMIC(atomicExch, float, ((void)old, value))
GPUCNN_ATOMIC(atomicMin, int, old < value ? old : value)
GPUCNN_ATOMIC(atomicMin, unsigned, old < value ? old : value)
GPUCNN_ATOMIC(atomicMin, long long, old < value ? old : value)
GPUCNN_ATOMIC(atomicMin, unsigned long long, old < value ? old : value)
GPUCNN_ATOMIC(atomicMax, int, old > value ? old : value)
GPUCNN_ATOMIC(atomicMax, unsigned, old > value ? old : value)
GPUCNN_ATOMIC(atomicMax, long long, old > value ? old : value)
GPUCNN_ATOMIC(atomicMax, unsigned long long, old > value ? old : value)
GPUCNN_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
GPUCNN_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)
GPUCNN_ATOMIC(atomicAnd, int, old & value)
GPUCNN_ATOMIC(atomicAnd, unsigned, old & value)
GPUCNN_ATOMIC(atomicAnd, unsigned long long, old & value)
GPUCNN_ATOMIC(atomicOr, int, old | value)
GPUCNN_ATOMIC(atomicOr, unsigned, old | value)
GPUCNN_ATOMIC(atomicOr, unsigned long long, old | value)
GPUCNN_ATOMIC(atomicXor, int, old ^ value)
GPUCNN_ATOMIC(atomicXor, unsigned, old ^ value)
GPUCNN_ATOMIC(atomicXor, unsigned long long, old ^ value)

#define GPUCNN_ATOMIC_CAS(type)                                                                    \
    inline type atomicCAS(type* address, type compare, type value)                                 \
    {                                                                                              \
        return gpucnn_simulator::change_atomically(                                                \
            address, [=](type old) -> type { return old == compare ? value : old; });              \
    }
GPUCNN_ATOMIC_CAS(unsigned short)
GPUCNN_ATOMIC_CAS(int)
GPUCNN_ATOMIC_CAS(unsigned)
GPUCNN_ATOMIC_CAS(unsigned long long)

// Telling -----------------------------------------------------------------------------------------

extern "C" int printf(const char*, ...);

#define assert(condition)                                                                          \
    ((condition) ? (void)0                                                                         \
                 : gpucnn_simulator::fail(                                                         \
                       {"assert", __FILE__, __LINE__},                                             \
                       "failed: " #condition ": see what its numbers are there"))

// Kernels as the launcher sees them ---------------------------------------------------------------

namespace gpucnn_simulator {

// A type's name, and NumPy's letter for it or, if it is a vector, for its component.
template <typename T> struct Description {
    static constexpr const char* name = "struct";
    static constexpr int kind = 'V', size = sizeof(T), alignment = alignof(T);
};
template <> struct Description<void> {
    static constexpr const char* name = "void";
    static constexpr int kind = 0, size = 1, alignment = 1;
};
#define GPUCNN_DESCRIBE(type, letter, component)                                                   \
    template <> struct Description<type> {                                                         \
        static constexpr const char* name = #type;                                                 \
        static constexpr int kind = letter, size = sizeof(component), alignment = alignof(type);   \
    };
#define GPUCNN_DESCRIBE_ALL(vector, type, letter)                                                  \
    GPUCNN_DESCRIBE(type, letter, type)                                                            \
    GPUCNN_DESCRIBE(vector##1, letter, type)                                                       \
    GPUCNN_DESCRIBE(vector##2, letter, type)                                                       \
    GPUCNN_DESCRIBE(vector##3, letter, type)                                                       \
    GPUCNN_DESCRIBE(vector##4, letter, type)
GPUCNN_DESCRIBE(bool, 'b', bool)
GPUCNN_DESCRIBE(char, (char)-1 < 0 ? 'i' : 'u', char)
GPUCNN_DESCRIBE_ALL(char, signed char, 'i')
GPUCNN_DESCRIBE_ALL(uchar, unsigned char, 'u')
GPUCNN_DESCRIBE_ALL(short, short, 'i')
GPUCNN_DESCRIBE_ALL(ushort, unsigned short, 'u')
GPUCNN_DESCRIBE_ALL(int, int, 'i')
GPUCNN_DESCRIBE_ALL(uint, unsigned, 'u')
GPUCNN_DESCRIBE_ALL(long, long, 'i')
GPUCNN_DESCRIBE_ALL(ulong, unsigned long, 'u')
GPUCNN_DESCRIBE_ALL(longlong, long long, 'i')
GPUCNN_DESCRIBE_ALL(ulonglong, unsigned long long, 'u')
GPUCNN_DESCRIBE_ALL(float, float, 'f')
GPUCNN_DESCRIBE_ALL(double, double, 'f')

// A value: a vector is passed whole.
template <typename T> struct ParameterOf {
    using D = Description<T>;
    static constexpr bool whole = D::size == sizeof(T);
    static constexpr Parameter value = {
        D::name, 0, 0, whole ? D::kind : 'V', sizeof(T), alignof(T)};
};
template <typename T> struct ParameterOf<T*> {
    using D = Description<T>;
    static constexpr Parameter value = {D::name, 1, 0, D::kind, D::size, D::alignment};
};
template <typename T> struct ParameterOf<const T*> {
    using D = Description<T>;
    static constexpr Parameter value = {D::name, 1, 1, D::kind, D::size, D::alignment};
};

template <int... i> struct Indices {};
template <int count, int... i> struct IndicesTo : IndicesTo<count - 1, count - 1, i...> {};
template <int... i> struct IndicesTo<0, i...> {
    using Type = Indices<i...>;
};

template <auto kernel> struct Stub;
template <typename... P, void (*kernel)(P...)> struct Stub<kernel> {
    static constexpr int count = sizeof...(P);
    static constexpr Parameter parameters[] = {ParameterOf<P>::value..., {}};
    template <int... i> static void unpack(void** arguments, Indices<i...>)
    {
        kernel(*(P*)arguments[i]...);
    }
    static void call(void** arguments) { unpack(arguments, typename IndicesTo<count>::Type()); }
};

constexpr int first_of(int first, ...) { return first; }

}  // namespace gpucnn_simulator
