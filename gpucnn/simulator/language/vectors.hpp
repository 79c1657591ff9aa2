// CUDA's vector types, with its alignments, and their make functions.
#pragma once

#include "../runtime/runtime.hpp"

#define GPUCNN_VECTORS(name, type, alignment_2, alignment_4)                                       \
    struct name##1 {                                                                               \
        type x;                                                                                    \
    };                                                                                             \
    struct alignas(alignment_2) name##2 {                                                          \
        type x, y;                                                                                 \
    };                                                                                             \
    struct alignas(alignment_4) name##4 {                                                          \
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
