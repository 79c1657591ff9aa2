// The shared memory of blocks.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "fibers.hpp"

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <vector>

namespace gpucnn_simulator {
namespace {

constexpr unsigned long MOST_STATIC_SHARED = 49152;  // bytes of a block
constexpr size_t ALIGNMENT = 128;                    // bytes

// The bytes from one piece of shared memory to the next, at least.
size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

bool is_within(const char* address, const void* begin, size_t size)
{
    return (size_t)(address - (const char*)begin) < size;
}

// The shared memory of the running block that has this address, or null.
SharedMemory* shared_memory_at(const char* address)
{
    for (unsigned i = 0; i < block->shared_memory_count; i++) {
        SharedMemory& each = block->shared_memories[i];
        if (is_within(address, each.begin, each.size)) return &each;
    }
    return nullptr;
}

bool is_shared(const char* address)
{
    return shared_memory_at(address) != nullptr;
}

size_t static_shared_size()
{
    size_t size = 0;
    for (unsigned i = 1; i < block->shared_memory_count; i++)
        if (block->shared_memories[i].is_used) size += block->shared_memories[i].size;
    return size;
}

// Fills shared memory with NaN, which reads as -1 in integers. Not by memset, which sanitizers
// intercept.
void fill(char* begin, char* end)
{
    while (begin < end && (size_t)begin % sizeof(size_t) != 0)
        *(volatile char*)begin++ = (char)0xff;
    for (; begin + sizeof(size_t) <= end; begin += sizeof(size_t))
        *(volatile size_t*)begin = ~(size_t)0;
    while (begin < end) *(volatile char*)begin++ = (char)0xff;
}

void begin_use(SharedMemory& memory)
{
    fill(memory.begin, memory.begin + memory.size);
    memory.is_used = true;
}

SharedMemory& add_shared_memory(const void* key, char* memory, size_t size)
{
    block->shared_memories[block->shared_memory_count] = {key, memory, size, false};
    return block->shared_memories[block->shared_memory_count++];
}

#if defined(GPUCNN_ADDRESS) || defined(GPUCNN_THREAD)

// A block has memory of its own, of exactly the requested size, so that a sanitizer finds overruns
// and tells the blocks apart.
std::vector<void*> kept_memory;  // of blocks that have ended

char* allocate(size_t size)
{
    void* memory;
    if (posix_memalign(&memory, ALIGNMENT, size) != 0) abort();
    kept_memory.push_back(memory);
    return (char*)memory;
}

void free_kept_memory()
{
    for (void* memory : kept_memory) free(memory);
    kept_memory.clear();
}

char* new_static_memory(size_t size)
{
#if defined(GPUCNN_THREAD)
    char* memory = block->static_end;
    block->static_end += aligned(size);
    return memory;
#else
    return allocate(size);
#endif
}

void begin_shared_memories(size_t) {}
void release_shared_memories() {}

void begin_block_of_shared_memories(size_t dynamic_size)
{
    block->shared_memory_count = 0;
#if defined(GPUCNN_THREAD)
    // To the sanitizer, who allocates memory writes to it: so the host does before a block runs.
    block->static_end = allocate(MOST_STATIC_SHARED + MOST_SHARED_MEMORIES * ALIGNMENT);
#endif
    begin_use(add_shared_memory(nullptr, allocate(dynamic_size), dynamic_size));
}

bool is_beyond_dynamic_shared(const char*) { return false; }

#else

// The blocks of a worker that do not live at once use the same memory. Between and beyond its parts
// nothing lies, so that an access beyond one is seen to be that; and beyond the dynamic one are as many
// inaccessible pages as a launch could have asked for.
constexpr size_t STATIC_AREA = MOST_STATIC_SHARED + 2 * MOST_SHARED_MEMORIES * ALIGNMENT;
constexpr size_t DYNAMIC_AREA = 256 * 1024;
constexpr size_t SHARED_AREA = STATIC_AREA + 2 * DYNAMIC_AREA;

char* new_static_memory(size_t size)
{
    char* memory = block->static_end;
    block->static_end += aligned(size) + ALIGNMENT;
    return memory;
}

char* dynamic_area_end()
{
    return block->shared_area + STATIC_AREA + DYNAMIC_AREA;
}

void begin_shared_memories(size_t dynamic_size)
{
    if (block->shared_area == nullptr) {
        void* memory = mmap(
            nullptr, SHARED_AREA, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) give_up_memory("shared memory");
        block->shared_area = (char*)memory;
        mprotect(dynamic_area_end(), DYNAMIC_AREA, PROT_NONE);
    }
    block->static_end = block->shared_area;
    block->shared_memory_count = 0;
    add_shared_memory(nullptr, dynamic_area_end() - aligned(dynamic_size), dynamic_size);
}

void release_shared_memories()
{
    munmap(block->shared_area, SHARED_AREA);
}

void begin_block_of_shared_memories(size_t)
{
    for (unsigned i = 1; i < block->shared_memory_count; i++)
        block->shared_memories[i].is_used = false;
    begin_use(block->shared_memories[0]);
}

bool is_beyond_dynamic_shared(const char* address)
{
    return is_within(address, dynamic_area_end(), DYNAMIC_AREA);
}

#endif

// The static memory of that key, or null if the launch has not used it yet.
SharedMemory* find_shared_memory(const void* key)
{
    for (unsigned i = 1; i < block->shared_memory_count; i++)
        if (block->shared_memories[i].key == key) return &block->shared_memories[i];
    return nullptr;
}

}  // namespace
}  // namespace gpucnn_simulator
