// CUDA's bfloat16: the upper half of a float.
#pragma once

#include "../language/numbers/narrow.hpp"

struct alignas(2) __nv_bfloat16_raw {
    unsigned short x;
};

struct alignas(2) __nv_bfloat16 {
    GPUCNN_NARROW_MEMBERS(__nv_bfloat16)

    __nv_bfloat16(float x)
    {
        const unsigned whole = gpucnn_simulator::bits_as<unsigned>(x);
        const unsigned nearest = whole + 0x7fff + (whole >> 16 & 1);  // to even, between two
        bits = x != x ? 0x7fff : (unsigned short)(nearest >> 16);
    }
    __nv_bfloat16(double x) : __nv_bfloat16(gpucnn_simulator::to_odd(x)) {}
    operator float() const { return gpucnn_simulator::bits_as<float>((unsigned)bits << 16); }
};

GPUCNN_NARROW(__nv_bfloat16)
GPUCNN_NARROW_CONVERSIONS(__nv_bfloat16, bfloat16)
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) { return {x, y}; }
inline __nv_bfloat162 make_bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) { return {x, y}; }

typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;

namespace gpucnn_simulator {
GPUCNN_DESCRIBE(__nv_bfloat16, 'V', __nv_bfloat16)
GPUCNN_DESCRIBE(__nv_bfloat162, 'V', __nv_bfloat16)
}  // namespace gpucnn_simulator
