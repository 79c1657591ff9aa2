// CUDA's complex numbers, which are vectors of two.
#pragma once

typedef float2 cuFloatComplex;
typedef cuFloatComplex cuComplex;
typedef double2 cuDoubleComplex;

#define GPUCNN_COMPLEX(type, real, suffix)                                                         \
    inline type make_##type(real x, real y) { return {x, y}; }                                     \
    inline real cuCreal##suffix(type z) { return z.x; }                                            \
    inline real cuCimag##suffix(type z) { return z.y; }                                            \
    inline type cuConj##suffix(type z) { return {z.x, -z.y}; }                                     \
    inline type cuCadd##suffix(type a, type b) { return {a.x + b.x, a.y + b.y}; }                  \
    inline type cuCsub##suffix(type a, type b) { return {a.x - b.x, a.y - b.y}; }                  \
    inline type cuCmul##suffix(type a, type b)                                                     \
    {                                                                                              \
        return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x};                                     \
    }                                                                                              \
    inline type cuCdiv##suffix(type a, type b)                                                     \
    {                                                                                              \
        const real scale = 1 / (fabs(b.x) + fabs(b.y)); /* against overflow */                     \
        const type c = {a.x * scale, a.y * scale}, d = {b.x * scale, b.y * scale};                 \
        const real square = d.x * d.x + d.y * d.y;                                                 \
        return {(c.x * d.x + c.y * d.y) / square, (c.y * d.x - c.x * d.y) / square};               \
    }                                                                                              \
    inline real cuCabs##suffix(type z) { return hypot(z.x, z.y); }                                 \
    inline type cuCfma##suffix(type a, type b, type c)                                             \
    {                                                                                              \
        return {a.x * b.x - a.y * b.y + c.x, a.x * b.y + a.y * b.x + c.y};                         \
    }

GPUCNN_COMPLEX(cuFloatComplex, float, f)
GPUCNN_COMPLEX(cuDoubleComplex, double, )
#undef GPUCNN_COMPLEX

inline cuComplex make_cuComplex(float x, float y) { return {x, y}; }
inline cuDoubleComplex cuComplexFloatToDouble(cuFloatComplex z) { return {z.x, z.y}; }
inline cuFloatComplex cuComplexDoubleToFloat(cuDoubleComplex z)
{
    return {(float)z.x, (float)z.y};
}
