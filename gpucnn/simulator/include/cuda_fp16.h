// CUDA's half: IEEE's binary16.
#pragma once

#include "../language/numbers/half.hpp"
#include "../language/numbers/narrow.hpp"

struct alignas(2) __half_raw {
    unsigned short x;
};

struct alignas(2) __half {
    GPUCNN_NARROW_MEMBERS(__half)

    __half(float x) : bits(gpucnn_simulator::half_bits(x)) {}
    __half(double x) : __half(gpucnn_simulator::to_odd(x)) {}
    operator float() const { return gpucnn_simulator::float_of_half(bits); }
};

GPUCNN_NARROW(__half)
GPUCNN_NARROW_CONVERSIONS(__half, half)
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline __half2 make_half2(__half x, __half y) { return {x, y}; }

typedef __half half;
typedef __half2 half2;
typedef __half __nv_half;
typedef __half2 __nv_half2;

namespace gpucnn_simulator {
GPUCNN_DESCRIBE(__half, 'f', __half)
GPUCNN_DESCRIBE(__half2, 'f', __half)
}  // namespace gpucnn_simulator
