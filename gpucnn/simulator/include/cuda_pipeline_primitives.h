// Copies in the background by each thread, in stages.
#pragma once

#include "../language/copies.hpp"

// The last `zeros` bytes are set to 0 instead.
GPUCNN_COPYING void __pipeline_memcpy_async(
    void* to, const void* from, size_t size, size_t zeros = 0, GPUCNN_WHERE)
{
    if ((size != 4 && size != 8 && size != 16) || zeros > size)
        gpucnn_simulator::fail(
            GPUCNN_PLACE("__pipeline_memcpy_async"),
            "copies a number of bytes that is none of 4, 8 and 16: give one of them");
    if (((size_t)to | (size_t)from) % size != 0)
        gpucnn_simulator::fail(
            GPUCNN_PLACE("__pipeline_memcpy_async"),
            "has an address that is no multiple of its bytes: give one that is, or fewer bytes");
    gpucnn_simulator::copy_later(to, from, size - zeros, size, nullptr);
}
inline void __pipeline_commit() { gpucnn_simulator::end_stage(); }
inline void __pipeline_wait_prior(size_t stages) { gpucnn_simulator::wait_for_stages(stages); }
