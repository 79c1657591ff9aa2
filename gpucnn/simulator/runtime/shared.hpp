// The shared memory of the running block.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include <stddef.h>
#include <stdlib.h>

#include <vector>

namespace gpucnn_simulator {
namespace {

constexpr unsigned MOST_SHARED_MEMORIES = 1024;      // of a block
constexpr unsigned long MOST_STATIC_SHARED = 49152;  // bytes of a block
constexpr size_t ALIGNMENT = 128;                    // bytes

struct SharedMemory {
    const void* key;  // of the declaration; null for the dynamic one
    char* begin;
    size_t size;  // bytes
};

// First the dynamic one, then the static ones, in the order in which they were used first.
SharedMemory shared_memories[MOST_SHARED_MEMORIES];
unsigned shared_memory_count;

#if defined(GPUCNN_THREAD)
// To the sanitizer, who allocates memory writes to it, so that the host does so before a block runs:
// the dynamic memory, and with it what the block will use as static memory.
char* static_memory;
std::vector<void*> kept_memory;  // of blocks that have ended, so that others get another
#endif

bool is_within(const char* address, const void* begin, size_t size)
{
    return (size_t)(address - (const char*)begin) < size;
}

bool is_shared(const char* address)
{
    for (unsigned i = 0; i < shared_memory_count; i++)
        if (is_within(address, shared_memories[i].begin, shared_memories[i].size)) return true;
    return false;
}

// The static memory of that key, or null if the block has not used it yet.
char* find_shared_memory(const void* key)
{
    for (unsigned i = 1; i < shared_memory_count; i++)
        if (shared_memories[i].key == key) return shared_memories[i].begin;
    return nullptr;
}

size_t static_shared_size()
{
    size_t size = 0;
    for (unsigned i = 1; i < shared_memory_count; i++) size += shared_memories[i].size;
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

// Allocates exactly the requested size, so that the address sanitizer finds overruns.
void* allocate(size_t size)
{
    void* memory;
    if (posix_memalign(&memory, ALIGNMENT, size) != 0) abort();
    return memory;
}

void* add_shared_memory(const void* key, void* memory, size_t size)
{
    fill((char*)memory, (char*)memory + size);
    shared_memories[shared_memory_count++] = {key, (char*)memory, size};
    return memory;
}

// The first of a block's shared memories.
void* new_dynamic_memory(size_t size)
{
    void* memory = allocate(size);
#if defined(GPUCNN_THREAD)
    kept_memory.push_back(memory);
    static_memory = (char*)allocate(MOST_STATIC_SHARED + MOST_SHARED_MEMORIES * ALIGNMENT);
    kept_memory.push_back(static_memory);
#endif
    return add_shared_memory(nullptr, memory, size);
}

void* new_static_memory(const void* key, size_t size)
{
#if defined(GPUCNN_THREAD)
    void* memory = static_memory;
    static_memory += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
#else
    void* memory = allocate(size);
#endif
    return add_shared_memory(key, memory, size);
}

void free_shared_memories()
{
#if !defined(GPUCNN_THREAD)
    for (unsigned i = 0; i < shared_memory_count; i++) free(shared_memories[i].begin);
#endif
    shared_memory_count = 0;
}

#if defined(GPUCNN_THREAD)
void free_kept_memory()
{
    for (void* memory : kept_memory) free(memory);
    kept_memory.clear();
}
#endif

}  // namespace
}  // namespace gpucnn_simulator
