// The faults of accesses to memory: what lies outside of all regions, and races.
//
// That threads write the same value to one place is no fault: many programs set a flag so. Nor is it
// one that a thread reads what others change atomically, if an atomicCAS of its own follows: so begins
// the loop that makes other atomic operations of that.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "../errors.hpp"
#include "clock.hpp"
#include "regions.hpp"

#include <string.h>

namespace gpucnn_simulator {
namespace {

const char* in_words(bool writes)
{
    return writes ? "writes" : "reads";
}

[[noreturn]] void give_up_null(bool writes, const Text& where)
{
    give_up(
        "%s %s through a null pointer%s: give an array for each pointer that is used",
        this_thread().characters, in_words(writes), where.characters);
}

// Reports an access outside of all regions by the nearest one.
[[noreturn]] void give_up_outside(const char* address, size_t width, bool writes, const void* pc)
{
    constexpr size_t FAR = 16 << 20;
    const Text where = at(pc);
    if ((size_t)address < NULL_PAGES) give_up_null(writes, where);
    const Region* nearest = nullptr;
    for (const Region& each : regions) {
        if (each.array == nullptr && !each.is_shared) continue;
        if (nearest == nullptr || distance(address, each) < distance(address, *nearest))
            nearest = &each;
    }
    if (nearest == nullptr || distance(address, *nearest) > FAR)
        give_up(
            "%s %s %zu bytes%s, at an address in none of its arrays: see where the pointer comes "
            "from",
            this_thread().characters, in_words(writes), width, where.characters);
    const long long offset = address - nearest->begin;
    const long long element = nearest->array ? nearest->array->element : 1;
    const long long index = offset >= 0 ? offset / element : -((-offset + element - 1) / element);
    const bool is_dynamic = nearest->begin == block->shared_memories[0].begin;
    give_up(
        "%s %s%s %s %lld of %s: %s", this_thread().characters, in_words(writes), where.characters,
        nearest->array ? "element" : "byte", index, named(*nearest).characters,
        is_dynamic ? "launch it with a larger shared_mem, or keep the index within it"
                   : "keep the index within it");
}

struct Conflict {
    const char* earlier;  // what the earlier thread did
    const char* later;
    Access access;  // the earlier
    const void* pc;  // of the later
};

[[noreturn]] void give_up_race(const Conflict& race)
{
    const StartedBlock& block = block_of(race.access.stamp);
    const unsigned thread = race.access.stamp % MOST_THREADS;
    const Text where = at(race.pc), earlier = at_place(race.access.place);
    const bool is_warp = thread / WARP == worker->running / WARP;
    if (block.start == block_start)
        give_up(
            "%s %s%s what %s %s%s, and no barrier is in between: have them call __syncthreads()%s "
            "there, or use an atomic operation",
            this_thread().characters, race.later, where.characters, named(thread).characters,
            race.earlier, earlier.characters, is_warp ? " or __syncwarp()" : "");
    give_up(
        "%s %s%s what %s of block (%u, %u, %u) %s%s, and blocks run in any order: have only one "
        "block write it, or use an atomic operation",
        this_thread().characters, race.later, where.characters, named(thread).characters,
        block.index.x, block.index.y, block.index.z, race.earlier, earlier.characters);
}

// Two threads wrote one place: a fault if the second changes what the first wrote, which shows
// after the access that is being checked.
struct SecondWrite {
    const char* address = nullptr;  // null if there is none
    size_t width;
    char contents[16];
    Conflict race;
} second_write;

void check_second_write()
{
    if (second_write.address == nullptr) return;
    const SecondWrite write = second_write;
    second_write.address = nullptr;
    if (memcmp(write.address, write.contents, write.width) != 0) give_up_race(write.race);
}

// A thread read what another had changed atomically: a fault unless it compares and swaps that next.
struct ReadOfAtomic {
    const char* address = nullptr;  // null if there is none
    Conflict race;
} read_of_atomic;

void check_read_of_atomic()
{
    if (read_of_atomic.address == nullptr) return;
    read_of_atomic.address = nullptr;
    give_up_race(read_of_atomic.race);
}

void note_read_of_atomic(const char* address, const Conflict& race)
{
    if (address == read_of_atomic.address) return;
    check_read_of_atomic();
    read_of_atomic = {address, race};
}

// Checks what could not be told when the running thread accessed it.
void check_postponed()
{
    check_second_write();
    check_read_of_atomic();
}

void note_second_write(const char* address, size_t width, const Conflict& race)
{
    check_second_write();
    if (width > sizeof(second_write.contents)) give_up_race(race);
    second_write.address = address;
    second_write.width = width;
    second_write.race = race;
    memcpy(second_write.contents, address, width);
}

}  // namespace
}  // namespace gpucnn_simulator
