// CUDA's numbers of 8 bits: E4M3, which has no infinity, and E5M2.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

typedef unsigned char __nv_fp8_storage_t;
typedef unsigned short __nv_fp8x2_storage_t;
typedef unsigned __nv_fp8x4_storage_t;
enum __nv_saturation_t { __NV_NOSAT, __NV_SATFINITE };
enum __nv_fp8_interpretation_t { __NV_E4M3, __NV_E5M2 };

namespace gpucnn_simulator {

struct Format {
    int digits;  // bits of the fraction
    int bias;
    double most;
    unsigned char code_of_most, beyond;  // the latter of what is larger, if it is not the most
};
constexpr Format E4M3 = {3, 7, 448, 0x7e, 0x7f}, E5M2 = {2, 15, 57344, 0x7b, 0x7c};

// The nearest number, to even between two.
inline unsigned char encoded(double x, const Format& format, bool saturates)
{
    if (x != x) return 0x7f;
    const int sign = signbit(x) ? 0x80 : 0, lowest = 1 - format.bias;
    const double size = fabs(x);
    const int exponent = size < ldexp(1, lowest) ? lowest : size > 65536 ? 16 : ilogb(size);
    const double digits = rint(ldexp(size, format.digits - exponent));  // below 2^(digits + 1), or it
    if (ldexp(digits, exponent - format.digits) > format.most)
        return (unsigned char)(sign | (saturates ? format.code_of_most : format.beyond));
    const int code = ((exponent - lowest) << format.digits) + (int)digits;
    return (unsigned char)(sign | code);
}
inline float decoded(unsigned char code, const Format& format)
{
    const int size = code & 0x7f, leading = 1 << format.digits, exponent = size >> format.digits;
    float value;
    if (size == 0x7f || size > format.beyond)
        value = __int_as_float(0x7fffffff);
    else if (size > format.code_of_most)
        value = __builtin_inff();
    else if (exponent == 0)
        value = ldexpf((float)size, 1 - format.bias - format.digits);
    else
        value = ldexpf(
            (float)(leading + size % leading), exponent - format.bias - format.digits);
    return code & 0x80 ? -value : value;
}
inline const Format& format_of(__nv_fp8_interpretation_t interpretation)
{
    return interpretation == __NV_E4M3 ? E4M3 : E5M2;
}

}  // namespace gpucnn_simulator

#define GPUCNN_TO_FP8(name, type, value)                                                           \
    inline __nv_fp8_storage_t __nv_cvt_##name##_to_fp8(                                            \
        type x, __nv_saturation_t saturation, __nv_fp8_interpretation_t interpretation)            \
    {                                                                                              \
        return gpucnn_simulator::encoded(                                                          \
            value, gpucnn_simulator::format_of(interpretation), saturation == __NV_SATFINITE);     \
    }
#define GPUCNN_TO_FP8X2(type)                                                                      \
    inline __nv_fp8x2_storage_t __nv_cvt_##type##2_to_fp8x2(                                       \
        type##2 v, __nv_saturation_t saturation, __nv_fp8_interpretation_t interpretation)         \
    {                                                                                              \
        const int low = __nv_cvt_##type##_to_fp8(v.x, saturation, interpretation);                 \
        const int high = __nv_cvt_##type##_to_fp8(v.y, saturation, interpretation);                \
        return (__nv_fp8x2_storage_t)(low | high << 8);                                            \
    }
GPUCNN_TO_FP8(float, float, x)
GPUCNN_TO_FP8(double, double, x)
GPUCNN_TO_FP8(halfraw, __half_raw, (float)__half(x))
GPUCNN_TO_FP8(bfloat16raw, __nv_bfloat16_raw, (float)__nv_bfloat16(x))
GPUCNN_TO_FP8X2(float)
GPUCNN_TO_FP8X2(double)
#undef GPUCNN_TO_FP8
#undef GPUCNN_TO_FP8X2
inline __half_raw __nv_cvt_fp8_to_halfraw(
    __nv_fp8_storage_t x, __nv_fp8_interpretation_t interpretation)
{
    return __half(gpucnn_simulator::decoded(x, gpucnn_simulator::format_of(interpretation)));
}

// Numbers and vectors of a format; conversions to them saturate.
#define GPUCNN_FP8(T, T2, T4, interpretation)                                                      \
    struct T {                                                                                     \
        __nv_fp8_storage_t __x;                                                                    \
        T() = default;                                                                             \
        explicit T(double x) : __x(__nv_cvt_double_to_fp8(x, __NV_SATFINITE, interpretation)) {}   \
        explicit T(float x) : T((double)x) {}                                                      \
        explicit T(__half x) : T((float)x) {}                                                      \
        explicit T(__nv_bfloat16 x) : T((float)x) {}                                               \
        template <                                                                                 \
            typename Integer,                                                                      \
            typename = typename gpucnn_simulator::If<                                              \
                gpucnn_simulator::is_integer<Integer>, Integer>::Type>                             \
        explicit T(Integer x) : T((double)x)                                                       \
        {                                                                                          \
        }                                                                                          \
        explicit operator float() const                                                            \
        {                                                                                          \
            return gpucnn_simulator::decoded(__x, gpucnn_simulator::format_of(interpretation));    \
        }                                                                                          \
        explicit operator double() const { return (float)*this; }                                  \
        explicit operator __half() const { return (float)*this; }                                  \
        explicit operator __nv_bfloat16() const { return (float)*this; }                           \
        explicit operator bool() const { return (float)*this != 0; }                               \
        explicit operator int() const { return __float2int_rz((float)*this); }                     \
    };                                                                                             \
    struct alignas(2) T2 {                                                                         \
        __nv_fp8x2_storage_t __x;                                                                  \
        T2() = default;                                                                            \
        explicit T2(float2 v)                                                                      \
            : __x(__nv_cvt_float2_to_fp8x2(v, __NV_SATFINITE, interpretation))                     \
        {                                                                                          \
        }                                                                                          \
        explicit T2(__half2 v) : T2(float2{v.x, v.y}) {}                                           \
        explicit T2(__nv_bfloat162 v) : T2(float2{v.x, v.y}) {}                                    \
        explicit operator float2() const                                                           \
        {                                                                                          \
            const auto& format = gpucnn_simulator::format_of(interpretation);                      \
            return {                                                                               \
                gpucnn_simulator::decoded((unsigned char)__x, format),                             \
                gpucnn_simulator::decoded((unsigned char)(__x >> 8), format)};                     \
        }                                                                                          \
        explicit operator __half2() const                                                          \
        {                                                                                          \
            const float2 v = (float2)*this;                                                        \
            return {v.x, v.y};                                                                     \
        }                                                                                          \
    };                                                                                             \
    struct alignas(4) T4 {                                                                         \
        __nv_fp8x4_storage_t __x;                                                                  \
        T4() = default;                                                                            \
        explicit T4(float4 v)                                                                      \
            : __x(T2(float2{v.x, v.y}).__x | (unsigned)T2(float2{v.z, v.w}).__x << 16)             \
        {                                                                                          \
        }                                                                                          \
        explicit operator float4() const                                                           \
        {                                                                                          \
            T2 low, high;                                                                          \
            low.__x = (__nv_fp8x2_storage_t)__x, high.__x = (__nv_fp8x2_storage_t)(__x >> 16);     \
            const float2 first = (float2)low, second = (float2)high;                               \
            return {first.x, first.y, second.x, second.y};                                         \
        }                                                                                          \
    };                                                                                             \
    namespace gpucnn_simulator {                                                                   \
    GPUCNN_DESCRIBE(T, 'V', T)                                                                     \
    GPUCNN_DESCRIBE(T2, 'V', T)                                                                    \
    GPUCNN_DESCRIBE(T4, 'V', T)                                                                    \
    }
GPUCNN_FP8(__nv_fp8_e4m3, __nv_fp8x2_e4m3, __nv_fp8x4_e4m3, __NV_E4M3)
GPUCNN_FP8(__nv_fp8_e5m2, __nv_fp8x2_e5m2, __nv_fp8x4_e5m2, __NV_E5M2)
#undef GPUCNN_FP8
