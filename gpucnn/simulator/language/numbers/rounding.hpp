// CUDA's arithmetic with a rounding mode: to nearest even (rn), towards zero (rz), down (rd), up
// (ru).
#pragma once

#include <fenv.h>

#include "mathematics.hpp"

namespace gpucnn_simulator {

// What `compute` gives in a rounding mode of the processor. The operands and the result are
// volatile, so that the compiler computes it neither by itself nor while another mode is set.
template <int mode, typename Compute, typename T>
inline auto in_mode(Compute compute, T x, T y, T z)
{
    volatile T a = x, b = y, c = z;
    fesetround(mode);
    volatile auto result = compute(a, b, c);
    fesetround(FE_TONEAREST);
    return +result;
}

}  // namespace gpucnn_simulator

// A function of one, two or three operands, in each mode; `Type` is that of the operands.
#define GPUCNN_IN_MODE(mode, result)                                                               \
    gpucnn_simulator::in_mode<mode>([](Type x, Type y, Type z) { return result; }, x, y, z)
#define GPUCNN_EACH_ROUNDING(of, ...)                                                              \
    of(rn, FE_TONEAREST, __VA_ARGS__) of(rz, FE_TOWARDZERO, __VA_ARGS__)                           \
        of(rd, FE_DOWNWARD, __VA_ARGS__) of(ru, FE_UPWARD, __VA_ARGS__)
#define GPUCNN_OF_ONE(suffix, mode, type, name, result)                                            \
    inline auto name##_##suffix(type x)                                                            \
    {                                                                                              \
        using Type = type;                                                                         \
        const Type y = 0, z = 0;                                                                   \
        if constexpr (mode == FE_TONEAREST) return result;                                         \
        return GPUCNN_IN_MODE(mode, result);                                                       \
    }
#define GPUCNN_OF_TWO(suffix, mode, type, name, result)                                            \
    inline type name##_##suffix(type x, type y)                                                    \
    {                                                                                              \
        using Type = type;                                                                         \
        const Type z = 0;                                                                          \
        if constexpr (mode == FE_TONEAREST) return result;                                         \
        return GPUCNN_IN_MODE(mode, result);                                                       \
    }
#define GPUCNN_OF_THREE(suffix, mode, type, name, result)                                          \
    inline type name##_##suffix(type x, type y, type z)                                            \
    {                                                                                              \
        using Type = type;                                                                         \
        if constexpr (mode == FE_TONEAREST) return result;                                         \
        return GPUCNN_IN_MODE(mode, result);                                                       \
    }
GPUCNN_EACH_ROUNDING(GPUCNN_OF_TWO, float, __fadd, x + y)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_TWO, float, __fsub, x - y)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_TWO, float, __fmul, x* y)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_TWO, float, __fdiv, x / y)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_THREE, float, __fmaf, fmaf(x, y, z))
GPUCNN_EACH_ROUNDING(GPUCNN_OF_THREE, float, __fmaf_ieee, fmaf(x, y, z))
GPUCNN_EACH_ROUNDING(GPUCNN_OF_ONE, float, __fsqrt, sqrtf(x))
GPUCNN_EACH_ROUNDING(GPUCNN_OF_ONE, float, __frcp, 1 / x)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_TWO, double, __dadd, x + y)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_TWO, double, __dsub, x - y)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_TWO, double, __dmul, x* y)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_TWO, double, __ddiv, x / y)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_THREE, double, __fma, fma(x, y, z))
GPUCNN_EACH_ROUNDING(GPUCNN_OF_ONE, double, __dsqrt, sqrt(x))
GPUCNN_EACH_ROUNDING(GPUCNN_OF_ONE, double, __drcp, 1 / x)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_ONE, long long, __ll2double, (double)x)
GPUCNN_EACH_ROUNDING(GPUCNN_OF_ONE, unsigned long long, __ull2double, (double)x)
#undef GPUCNN_OF_ONE
#undef GPUCNN_OF_TWO
#undef GPUCNN_OF_THREE
#undef GPUCNN_IN_MODE

inline float __frsqrt_rn(float x) { return (float)(1 / sqrt((double)x)); }
