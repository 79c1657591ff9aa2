// Arithmetic of which C++ leaves open what it gives, where a device gives something else than the
// processor of the host: conversions of reals beyond the range of an integer, and shifts by more bits
// than a number has.
//
// The compiler calls these before it converts or shifts. They cannot change what it does, so they end
// the launch, if it makes a difference. A part of runtime.cpp, the only file that includes it.
#pragma once

#include "hooks.hpp"

#include <math.h>

namespace gpucnn_simulator {
namespace {

// As the compiler describes a type.
struct Type {
    unsigned short kind;  // 0 for an integer
    unsigned short info;  // of an integer: whether it is signed, and twice the logarithm of its bits
    char name[1];         // of any length, in quotation marks

    bool is_signed() const { return info & 1; }
    unsigned bits() const { return kind == 0 ? 1u << (info >> 1) : info; }
};

// The whole number nearest to x that an integer of these bits holds, as a device converts it.
__int128 saturated(double x, unsigned bits, bool is_signed)
{
    if (x != x) return bits < 64 ? 0 : (__int128)1 << 63;
    const __int128 most = ((__int128)1 << (bits - is_signed)) - 1, least = is_signed ? -most - 1 : 0;
    if (x >= ldexp(1, bits - is_signed)) return most;
    return x <= (double)least ? least : (__int128)x;
}

// As the processor of the host converts it. Intel's and AMD's do so through a wider or a signed integer,
// which has one value for all that is beyond its range; ARM's as a device.
__int128 converted(double x, unsigned bits, bool is_signed)
{
#if !defined(__x86_64__)
    return saturated(x, bits < 32 ? 32 : bits, is_signed);
#endif
    const unsigned wide = bits < 32 || (bits == 32 && is_signed) ? 32 : 64;
    const double end = ldexp(1, wide - 1);
    if (bits == 64 && !is_signed && x >= end && x < 2 * end) return (__int128)x;
    return x >= -end && x < end ? (__int128)x : -(__int128)end;
}

bool same_bits(__int128 a, __int128 b, unsigned bits)
{
    return (unsigned long long)a << (64 - bits) == (unsigned long long)b << (64 - bits);
}

}  // namespace
}  // namespace gpucnn_simulator

struct GpucnnConversion {
    gpucnn_simulator::Location location;
    const gpucnn_simulator::Type *from, *to;
};

GPUCNN_EXPORTED void gpucnn_undefined_handle_float_cast_overflow(
    const GpucnnConversion* conversion, unsigned long long bits_of_value)
{
    using namespace gpucnn_simulator;
    const Type& to = *conversion->to;
    if (conversion->from->bits() > 64) return;
    double x;
    float narrow;
    memcpy(&x, &bits_of_value, sizeof(x));
    memcpy(&narrow, &bits_of_value, sizeof(narrow));
    if (conversion->from->bits() == 32) x = narrow;
    const unsigned through = to.bits() < 32 ? 32 : to.bits();  // a device has no narrower conversion
    const __int128 there = saturated(x, through, to.is_signed());
    if (same_bits(there, converted(x, to.bits(), to.is_signed()), to.bits())) return;
    give_up(
        "%s converts %g to %s%s, which does not hold it: a device gives the nearest number, or 0 for "
        "nan, and the simulator does not: keep it within the range, or use a function as "
        "__float2int_rz",
        this_thread().characters, x, to.name, at(conversion->location).characters);
}

struct GpucnnShift {
    gpucnn_simulator::Location location;
    const gpucnn_simulator::Type *number, *distance;
};

GPUCNN_EXPORTED void gpucnn_undefined_handle_shift_out_of_bounds(
    const GpucnnShift* shift, unsigned long long number, unsigned long long distance)
{
    using namespace gpucnn_simulator;
    if (number == 0 || shift->number->bits() > 64) return;
    const long long bits = shift->distance->bits() < 64 && shift->distance->is_signed()
                               ? (long long)(int)distance
                               : (long long)distance;
    give_up(
        "%s shifts %s by %lld bits%s, which has %u: a device shifts all out, and the simulator does "
        "not: shift by fewer, or test for that",
        this_thread().characters, shift->number->name, bits, at(shift->location).characters,
        shift->number->bits());
}
