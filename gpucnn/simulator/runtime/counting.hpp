// Counting the accesses to memory of a launch.
//
// The compiler puts a call before each access, as for the thread sanitizer; library.py gives these
// calls the names below. Whose address is neither in an array of the launch nor in shared memory, an
// access to the stack for example, does not count.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "runtime.hpp"
#include "shared.hpp"

#include <stddef.h>

namespace gpucnn_simulator {

constexpr unsigned WIDTHS = 5;  // of an access: 1, 2, 4, 8 and 16 bytes

enum : unsigned char { READ = 1, WRITTEN = 2 };

// As in counting.py, and so are the two structs below.
struct Accesses {
    unsigned long long loads[WIDTHS];
    unsigned long long stores[WIDTHS];
};

struct CountedArray {
    char* begin;
    size_t size;             // bytes
    unsigned char* touched;  // for each byte READ, if it was loaded before any store, and WRITTEN
    Accesses accesses;
};

struct Counting {
    CountedArray* arrays;
    size_t array_count;
    Accesses shared;
};

namespace {

Counting* counting;  // of the running launch, or null

void add(Accesses& accesses, unsigned width, bool stores)
{
    const int place = __builtin_ctz(width);
    (stores ? accesses.stores : accesses.loads)[place]++;
}

void touch(unsigned char* touched, unsigned width, bool stores)
{
    for (unsigned i = 0; i < width; i++)
        if (stores)
            touched[i] |= WRITTEN;
        else if (!(touched[i] & WRITTEN))
            touched[i] |= READ;
}

// Counts an access of a power of two of bytes, 16 at most. If arguments overlap, it is the first's.
void count(const void* given, unsigned width, bool stores)
{
    const char* address = (const char*)given;
    if (counting == nullptr) return;
    for (size_t i = 0; i < counting->array_count; i++) {
        CountedArray& array = counting->arrays[i];
        if (!is_within(address, array.begin, array.size)) continue;
        add(array.accesses, width, stores);
        const size_t offset = address - array.begin;
        const size_t left = array.size - offset;
        touch(array.touched + offset, left < width ? left : width, stores);
        return;
    }
    if (is_shared(address)) add(counting->shared, width, stores);
}

// Counts an access to a struct of any size as the widest accesses that it may consist of.
void count_range(const void* address, size_t size, bool stores)
{
    const char* at = (const char*)address;
    while (size > 0) {
        unsigned width = 16;
        while (width > size || (size_t)at % width != 0) width /= 2;
        count(at, width, stores);
        at += width;
        size -= width;
    }
}

}  // namespace
}  // namespace gpucnn_simulator

#define GPUCNN_EXPORTED extern "C" __attribute__((visibility("default")))

#define GPUCNN_COUNTED(bytes)                                                                      \
    GPUCNN_EXPORTED void gpucnn_count_read##bytes(void* address)                                   \
    {                                                                                              \
        gpucnn_simulator::count(address, bytes, false);                                            \
    }                                                                                              \
    GPUCNN_EXPORTED void gpucnn_count_write##bytes(void* address)                                  \
    {                                                                                              \
        gpucnn_simulator::count(address, bytes, true);                                             \
    }

#define GPUCNN_COUNTED_UNALIGNED(bytes)                                                            \
    GPUCNN_EXPORTED void gpucnn_count_unaligned_read##bytes(void* address)                         \
    {                                                                                              \
        gpucnn_simulator::count_range(address, bytes, false);                                      \
    }                                                                                              \
    GPUCNN_EXPORTED void gpucnn_count_unaligned_write##bytes(void* address)                        \
    {                                                                                              \
        gpucnn_simulator::count_range(address, bytes, true);                                       \
    }

// An atomic operation of CUDA is a load and an exchange in atomics.hpp, and counts as a load and a
// store: those of the exchange. It does not fail, as no other thread runs in between.
#define GPUCNN_COUNTED_ATOMIC(bits, type)                                                          \
    GPUCNN_EXPORTED type gpucnn_count_atomic##bits##_load(const volatile type* address, int)       \
    {                                                                                              \
        return *address;                                                                           \
    }                                                                                              \
    GPUCNN_EXPORTED int gpucnn_count_atomic##bits##_compare_exchange_strong(                       \
        volatile type* address, type*, type value, int, int)                                       \
    {                                                                                              \
        gpucnn_simulator::count((const void*)address, bits / 8, false);                            \
        gpucnn_simulator::count((const void*)address, bits / 8, true);                             \
        *address = value;                                                                          \
        return 1;                                                                                  \
    }

GPUCNN_COUNTED(1)
GPUCNN_COUNTED(2)
GPUCNN_COUNTED(4)
GPUCNN_COUNTED(8)
GPUCNN_COUNTED(16)
GPUCNN_COUNTED_UNALIGNED(2)
GPUCNN_COUNTED_UNALIGNED(4)
GPUCNN_COUNTED_UNALIGNED(8)
GPUCNN_COUNTED_UNALIGNED(16)
GPUCNN_COUNTED_ATOMIC(16, unsigned short)
GPUCNN_COUNTED_ATOMIC(32, unsigned)
GPUCNN_COUNTED_ATOMIC(64, unsigned long long)

GPUCNN_EXPORTED void gpucnn_count_read_range(void* address, unsigned long size)
{
    gpucnn_simulator::count_range(address, size, false);
}
GPUCNN_EXPORTED void gpucnn_count_write_range(void* address, unsigned long size)
{
    gpucnn_simulator::count_range(address, size, true);
}

GPUCNN_EXPORTED void gpucnn_count_init() {}
GPUCNN_EXPORTED void gpucnn_count_func_entry(void*) {}
GPUCNN_EXPORTED void gpucnn_count_func_exit() {}
