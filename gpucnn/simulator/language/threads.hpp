// Synchronisation between threads: barriers, votes, shuffles and fences.
#pragma once

#include "../runtime/runtime.hpp"
#include "types.hpp"

#define GPUCNN_WHERE const char *file = __builtin_FILE(), gpucnn_simulator::Line line = {}
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

// The first lane of the running thread's group of `width` lanes.
inline int first_of_group(Place place, int width)
{
    if (width < 1 || width > 32 || (width & (width - 1)) != 0)
        fail(place, "has a width that is none of 1, 2, 4, 8, 16 and 32: give one of them");
    return lane & ~(width - 1);
}

// Integers narrower than int are shuffled as int.
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
    const int lane = gpucnn_simulator::lane;
    const bool inside = distance <= (unsigned)(lane - first);
    return gpucnn_simulator::shuffle_value<T>(place, mask, value, inside ? lane - distance : lane);
}
template <typename T>
inline auto __shfl_down_sync(
    unsigned mask, T value, unsigned distance, int width = 32, GPUCNN_WHERE)
{
    const auto place = GPUCNN_PLACE("__shfl_down_sync");
    const int first = gpucnn_simulator::first_of_group(place, width);
    const int lane = gpucnn_simulator::lane;
    const bool inside = distance < (unsigned)(first + width - lane);
    return gpucnn_simulator::shuffle_value<T>(place, mask, value, inside ? lane + distance : lane);
}
template <typename T>
inline auto __shfl_xor_sync(unsigned mask, T value, int pattern, int width = 32, GPUCNN_WHERE)
{
    const auto place = GPUCNN_PLACE("__shfl_xor_sync");
    const int first = gpucnn_simulator::first_of_group(place, width);
    const int lane = gpucnn_simulator::lane;
    const int source = lane ^ pattern;  // may be in an earlier group, but not in a later one
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
