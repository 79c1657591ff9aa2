// Copies in the background by a group of threads.
#pragma once

#include "../runtime/runtime.hpp"

#define GPUCNN_COPYING inline __attribute__((always_inline))

namespace cuda {

// A number of bytes, when both addresses are multiples of `alignment`.
template <decltype(sizeof(0)) alignment> struct aligned_size_t {
    decltype(sizeof(0)) value;
    constexpr explicit aligned_size_t(decltype(sizeof(0)) value) : value(value) {}
    constexpr operator decltype(sizeof(0))() const { return value; }
};

}  // namespace cuda

namespace gpucnn_simulator {

// The running thread as a group.
struct OneThread {
    static unsigned thread_rank() { return 0; }
    static unsigned size() { return 1; }
};

// Each thread of a group copies its pieces.
template <typename Group>
GPUCNN_COPYING void copy_by(
    const Group& group, void* to, const void* from, unsigned long size, Barrier* barrier)
{
    constexpr unsigned long PIECE = 16;  // bytes
    for (auto i = PIECE * group.thread_rank(); i < size; i += PIECE * group.size()) {
        const unsigned long bytes = size - i < PIECE ? size - i : PIECE;
        copy_later((char*)to + i, (const char*)from + i, bytes, bytes, barrier);
    }
}

}  // namespace gpucnn_simulator
