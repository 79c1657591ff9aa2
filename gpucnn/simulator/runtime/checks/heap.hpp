// What the threads of checked launches allocate with malloc or new. As on a device it lasts until it
// is freed, beyond the launch.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "../errors.hpp"

#include <stdlib.h>
#include <string.h>

#include <map>

namespace gpucnn_simulator {
namespace {

std::map<const char*, size_t> allocations;  // their bytes, by address

bool is_allocated(const char* address, size_t width)
{
    auto after = allocations.upper_bound(address);
    if (after == allocations.begin()) return false;
    const auto& [begin, size] = *--after;
    return address + width <= begin + size;
}

void* allocate_for_thread(size_t size)
{
    void* memory = malloc(size);
    if (memory == nullptr) return nullptr;
    memset(memory, 0xff, size);  // NaN, as all memory that was not written
    allocations[(const char*)memory] = size;
    return memory;
}

void free_for_thread(void* memory, const void* pc)
{
    if (memory == nullptr) return;
    if (allocations.erase((const char*)memory) == 0)
        give_up(
            "%s frees%s what it has not allocated, or has freed before: free once what malloc or "
            "new gave",
            this_thread().characters, at(pc).characters);
    free(memory);
}

}  // namespace
}  // namespace gpucnn_simulator
