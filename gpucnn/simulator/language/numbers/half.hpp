// The bits of IEEE's binary16.
#pragma once

#include "bits.hpp"

namespace gpucnn_simulator {

// The bits of the nearest half. Compilers have no type for it on all processors.
inline unsigned short half_bits(float x)
{
    const unsigned whole = bits_as<unsigned>(x);
    const unsigned size = whole & 0x7fffffff, sign = whole >> 16 & 0x8000;
    if (x != x) return 0x7fff;
    if (size >= bits_as<unsigned>(65520.0f)) return (unsigned short)(sign | 0x7c00);
    if (size < bits_as<unsigned>(0x1p-14f)) {  // a subnormal half: the sum has its digits, and rounds
        const float sum = bits_as<float>(size) + 0.5f;
        return (unsigned short)(sign | (bits_as<unsigned>(sum) - bits_as<unsigned>(0.5f)));
    }
    const unsigned nearest = size + 0xfff + (size >> 13 & 1);  // to even, between two
    return (unsigned short)(sign | ((nearest >> 13) - (112 << 10)));
}
inline float float_of_half(unsigned short bits)
{
    const unsigned sign = (bits & 0x8000u) << 16, size = (bits & 0x7fffu) << 13;
    if (size >= 0x7c00u << 13) return bits_as<float>(sign | 0x7f800000 | size);
    return bits_as<float>(sign | bits_as<unsigned>(bits_as<float>(size) * 0x1p112f));
}

}  // namespace gpucnn_simulator
