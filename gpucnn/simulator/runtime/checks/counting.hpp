// Counting the accesses to memory of a launch.
//
// The hooks (hooks.hpp) call it before each access of a launch that is counted. An access whose
// address is neither in an array of the launch nor in shared memory, as one to the stack, does not
// count.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "../shared.hpp"

#include <stddef.h>

namespace gpucnn_simulator {

constexpr unsigned WIDTHS = 5;  // of an access: 1, 2, 4, 8 and 16 bytes

enum : unsigned char { IS_READ = 1, IS_WRITTEN = 2 };

// As in counting.py, and so are the two structs below.
struct Accesses {
    unsigned long long loads[WIDTHS];
    unsigned long long stores[WIDTHS];
};

struct CountedArray {
    char* begin;
    size_t size;             // bytes
    unsigned char* touched;  // for each byte IS_READ, if it was loaded before any store, and IS_WRITTEN
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
            touched[i] |= IS_WRITTEN;
        else if (!(touched[i] & IS_WRITTEN))
            touched[i] |= IS_READ;
}

// Counts an access of a power of two of bytes, 16 at most. If arguments overlap, it is the first's.
void count(const void* given, unsigned width, bool stores)
{
    const char* address = (const char*)given;
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
