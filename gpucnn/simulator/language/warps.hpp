// What a warp computes together, by its shuffles.
#pragma once

#include "threads.hpp"

namespace gpucnn_simulator {

// Calls visit(lane, value) with the value of each lane in `mask`.
template <typename T, typename Visit>
inline void visit_lanes(Place place, unsigned mask, T value, Visit visit)
{
    for (int lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1)) continue;
        unsigned long long bits = 0;
        __builtin_memcpy(&bits, &value, sizeof(T));
        bits = shuffle(place, mask, bits, lane);
        T other;
        __builtin_memcpy(&other, &bits, sizeof(T));
        visit(lane, other);
    }
}

}  // namespace gpucnn_simulator

inline unsigned __activemask(GPUCNN_WHERE)
{
    return gpucnn_simulator::active_lanes(GPUCNN_PLACE("__activemask"));
}
template <typename T> inline unsigned __match_any_sync(unsigned mask, T value, GPUCNN_WHERE)
{
    unsigned equal = 0;
    gpucnn_simulator::visit_lanes(
        GPUCNN_PLACE("__match_any_sync"), mask, value,
        [&](int lane, T other) { equal |= (other == value) << lane; });
    return equal;
}
template <typename T>
inline unsigned __match_all_sync(unsigned mask, T value, int* all, GPUCNN_WHERE)
{
    bool same = true;
    gpucnn_simulator::visit_lanes(
        GPUCNN_PLACE("__match_all_sync"), mask, value,
        [&](int, T other) { same = same && other == value; });
    *all = same;
    return same ? mask : 0;
}

#define GPUCNN_REDUCE(name, type, change)                                                          \
    inline type __reduce_##name##_sync(unsigned mask, type value, GPUCNN_WHERE)                    \
    {                                                                                              \
        type result{};                                                                             \
        bool first = true;                                                                         \
        gpucnn_simulator::visit_lanes(                                                             \
            GPUCNN_PLACE("__reduce_" #name "_sync"), mask, value, [&](int, type x) {               \
                const type old = result;                                                           \
                result = first ? x : change;                                                       \
                first = false;                                                                     \
            });                                                                                    \
        return result;                                                                             \
    }
GPUCNN_REDUCE(add, unsigned, old + x)
GPUCNN_REDUCE(min, unsigned, old < x ? old : x)
GPUCNN_REDUCE(max, unsigned, old > x ? old : x)
GPUCNN_REDUCE(and, unsigned, old & x)
GPUCNN_REDUCE(or, unsigned, old | x)
GPUCNN_REDUCE(xor, unsigned, old ^ x)
GPUCNN_REDUCE(add, int, (int)((unsigned)old + (unsigned)x))
GPUCNN_REDUCE(min, int, old < x ? old : x)
GPUCNN_REDUCE(max, int, old > x ? old : x)
#undef GPUCNN_REDUCE
