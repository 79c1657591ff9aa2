// Checking each access of a launch to memory: that it lies in an array of the launch, in shared
// memory or in a variable of the module, that shared memory was written before it is read, and that
// no two threads access one place without an order, one of them to write it.
//
// The latest accesses to each place are in cells (regions.hpp), each identified by a stamp: its
// thread, and the time on a clock that ticks where threads are ordered, at the start of a block
// and at barriers. So a stamp from before the running block's latest barrier is ordered before all
// that follows; and what a lane did before a barrier of a part of its warp, is ordered before what
// the lanes do that took part (`seen`). Blocks, and threads that take a lock in global memory,
// are ordered by a fence of the earlier, and an atomic operation of the later one.
//
// That threads write the same value to one place is no fault: many programs set a flag so. Nor is it
// one that a thread reads what others change atomically, if an atomicCAS of its own follows: so begins
// the loop that makes other atomic operations of that.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "errors.hpp"
#include "fibers.hpp"
#include "heap.hpp"
#include "regions.hpp"
#include "shared.hpp"
#include "state.hpp"

#include <string.h>

#include <algorithm>
#include <vector>

namespace gpucnn_simulator {
namespace {

// Stamps ------------------------------------------------------------------------------------------

using Time = unsigned;

constexpr Time LAST_TIME = (1u << (32 - THREAD_BITS)) - 2;

Time now;                          // never 0, the time in a cell without an access
Time launch_start, block_start;    // of the running ones
Time barrier;                      // the latest at which all threads of the block were ordered
Time latest[MOST_THREADS];         // at which a thread was ordered with others of its warp
Time seen[MOST_THREADS][WARP];     // up to which the lanes of its warp are ordered before a thread
Stamp mine;                        // of the running thread
bool is_acquired;                  // whether the running block has performed an atomic operation
bool is_forgotten;                 // whether earlier accesses of the running block are forgotten

struct StartedBlock {
    Time start;
    Time fence;  // its latest, or 0
    uint3 index;
};
std::vector<StartedBlock> started;  // of the launch, in their order

Stamp stamp_of(unsigned thread)
{
    return std::max(barrier, latest[thread]) << THREAD_BITS | thread;
}

// The time has come to its end: clears all cells, and begins anew.
void forget()
{
    clear_cells();
    memset(latest, 0, sizeof(latest));
    memset(seen, 0, sizeof(seen));
    started.clear();
    now = launch_start = block_start = barrier = 1;
    started.push_back({now, now, blockIdx});
    is_forgotten = true;
}

Time tick()
{
    if (now == LAST_TIME) forget();
    return ++now;
}

// Orders ------------------------------------------------------------------------------------------

void order_block()
{
    barrier = tick();
}

// Orders the accesses of the lanes of a warp, whose first thread is `first`, at a barrier of them.
void order_lanes(unsigned first, unsigned lanes)
{
    const Time after = tick(), before = after - 1;  // whether or not the time began anew
    Time joined[WARP] = {};
    for (unsigned lane = 0; lane < WARP; lane++) {
        if (!(lanes >> lane & 1)) continue;
        for (unsigned i = 0; i < WARP; i++) joined[i] = std::max(joined[i], seen[first + lane][i]);
    }
    for (unsigned lane = 0; lane < WARP; lane++)
        if (lanes >> lane & 1) joined[lane] = before;
    for (unsigned lane = 0; lane < WARP; lane++) {
        if (!(lanes >> lane & 1)) continue;
        memcpy(seen[first + lane], joined, sizeof(joined));
        latest[first + lane] = after;
    }
}

void note_fence()
{
    started.back().fence = tick();
    latest[running] = now;
    mine = stamp_of(running);
}

const StartedBlock& block_of(Stamp stamp)
{
    const Time time = stamp >> THREAD_BITS;
    const auto after = std::upper_bound(
        started.begin(), started.end(), time,
        [](Time sought, const StartedBlock& block) { return sought < block.start; });
    return after == started.begin() ? started.front() : *(after - 1);
}

// Whether neither a barrier nor anything else orders an earlier access before the running thread.
bool is_unordered(Stamp stamp, const Region& region)
{
    const Time time = stamp >> THREAD_BITS;
    const unsigned thread = stamp % MOST_THREADS;
    if (time < launch_start) return false;
    if (time < block_start)
        return !region.is_shared && !(is_acquired && block_of(stamp).fence > time);
    if (time < barrier || thread == running) return false;
    if (!region.is_shared && is_acquired && started.back().fence > time) return false;  // as a lock
    return thread / WARP != running / WARP || time > seen[running][thread % WARP];
}

// Faults ------------------------------------------------------------------------------------------

const char* in_words(bool writes)
{
    return writes ? "writes" : "reads";
}

[[noreturn]] void give_up_null(bool writes, const Text& where)
{
    give_up(
        "%s %s through a null pointer%s: give an array for each pointer that is used",
        named(running).characters, in_words(writes), where.characters);
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
            named(running).characters, in_words(writes), width, where.characters);
    const long long offset = address - nearest->begin;
    const long long element = nearest->array ? nearest->array->element : 1;
    const long long index = offset >= 0 ? offset / element : -((-offset + element - 1) / element);
    const bool is_dynamic = nearest->begin == shared_memories[0].begin;
    give_up(
        "%s %s%s %s %lld of %s: %s", named(running).characters, in_words(writes), where.characters,
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
    const bool is_warp = thread / WARP == running / WARP;
    if (block.start == block_start)
        give_up(
            "%s %s%s what %s %s%s, and no barrier is in between: have them call __syncthreads()%s "
            "there, or use an atomic operation",
            named(running).characters, race.later, where.characters, named(thread).characters,
            race.earlier, earlier.characters, is_warp ? " or __syncwarp()" : "");
    give_up(
        "%s %s%s what %s of block (%u, %u, %u) %s%s, and blocks run in any order: have only one "
        "block write it, or use an atomic operation",
        named(running).characters, race.later, where.characters, named(thread).characters,
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

// Accesses ----------------------------------------------------------------------------------------

// A LOAD and a STORE are those of an atomic operation; all but atomicCAS begin with a LOAD. An
// EXCHANGE is one that may be the first to write.
enum Kind { READ, WRITE, VOLATILE_READ, VOLATILE_WRITE, ATOMIC, EXCHANGE, LOAD, STORE };

constexpr bool is_change(Kind kind)
{
    return kind == ATOMIC || kind == EXCHANGE;
}

constexpr bool is_write(Kind kind)
{
    return kind == WRITE || kind == VOLATILE_WRITE || is_change(kind) || kind == STORE;
}

constexpr const char* VERBS[] = {
    "reads", "writes", "reads", "writes", "changes atomically", "changes atomically", "reads",
    "writes"};

template <Kind kind> struct Checked {
    const char* address;
    size_t width;
    const void* pc;
    const Region& region;
    unsigned place;

    void race(const char* earlier, Access access) const
    {
        const Conflict conflict = {earlier, VERBS[kind], access, pc};
        if (kind == WRITE && earlier[0] == 'w')
            note_second_write(address, width, conflict);
        else if (kind == READ && earlier[0] == 'c')
            note_read_of_atomic(address, conflict);
        else
            check_postponed(), give_up_race(conflict);
    }

    void against(const char* earlier, Access access) const
    {
        if (__builtin_expect(is_unordered(access.stamp, region), 0)) race(earlier, access);
    }

    void check(Cell& cell) const
    {
        if (kind == READ && cell.read.stamp == mine) return;  // whoever wrote since was reported
        if (kind == WRITE && cell.write.stamp == mine) return;
        against("wrote", cell.write);
        if (kind == READ || kind == WRITE) against("changed atomically", cell.atomic);
        if (kind == LOAD && address == read_of_atomic.address) check_read_of_atomic();
        if (kind == ATOMIC) {
            if (cell.read.stamp == mine) cell.read = {};
            if (address == read_of_atomic.address) read_of_atomic.address = nullptr;
        }
        if (is_write(kind)) against("read", cell.read), against("read", cell.other_read);
        if (kind == READ) {
            if ((cell.read.stamp ^ mine) % MOST_THREADS != 0) cell.other_read = cell.read;
            cell.read = {mine, place};
        }
        if (kind == WRITE) cell.write = {mine, place};
        else if (is_write(kind)) cell.atomic = {mine, place};
    }
};

bool is_unwritten(const Cell& cell)
{
    return std::max(cell.write.stamp, cell.atomic.stamp) >> THREAD_BITS < block_start;
}

void check_is_written(const Cell* cells, size_t count, const void* pc)
{
    if (is_forgotten || !std::all_of(cells, cells + count, is_unwritten)) return;
    give_up(
        "%s reads shared memory%s that no thread of the block has written: write it first, and "
        "call __syncthreads() in between if another thread does",
        named(running).characters, at(pc).characters);
}

bool is_own(const char* address)
{
    const char* variables = (const char*)&threadIdx;
    constexpr long long NEAR = 256;  // the variables of the running thread lie side by side
    return address > variables - NEAR && address < variables + NEAR;
}

// The region of an address that is not in the one in which the instruction's last access lay; null
// if it is allowed and not to be checked.
Region* region_of(const char* address, size_t width, bool writes, const void* pc)
{
    for (Region& each : regions)
        if (is_within(address, each.begin, each.size)) return &each;
    if (is_own(address) || !launch.is_strict || is_allocated(address, width)) return nullptr;
    give_up_outside(address, width, writes, pc);
}

size_t site_of(const void* pc)
{
    return (size_t)pc / 4 % SITES;
}

template <Kind kind> void check(const void* given, size_t width, const void* pc)
{
    const char* address = (const char*)given;
    Region* region = sites[site_of(pc)];
    size_t offset = address - region->begin;
    if (__builtin_expect(offset >= region->size, 0)) {
        region = region_of(address, width, is_write(kind), pc);
        if (region == nullptr) return;
        sites[site_of(pc)] = region;
        offset = address - region->begin;
    }
    if (__builtin_expect(width > region->size - offset, 0))
        give_up_outside(region->begin + region->size, width, is_write(kind), pc);
    if (__builtin_expect((offset | width) & ((1u << region->granule) - 1), 0)) refine(*region);
    // Between the threads of a block, being volatile orders nothing.
    if (kind == VOLATILE_READ && region->is_shared) return check<READ>(given, width, pc);
    if (kind == VOLATILE_WRITE && region->is_shared) return check<WRITE>(given, width, pc);
    if (kind != READ && kind != WRITE && !region->is_shared) is_acquired = true;
    Cell* cells = region->cells + (offset >> region->granule);
    const size_t count = width >> region->granule;
    const bool is_store = kind == WRITE || kind == STORE || kind == EXCHANGE;
    if (region->is_shared && !is_store) check_is_written(cells, count, pc);
    const unsigned place = place_of(pc);
    const Checked<kind> access = {address, width, pc, *region, place};
    for (size_t i = 0; i < count; i++) access.check(cells[i]);
}

// What is on the stack of the running fiber is its thread's own. Where no launch is checked, this
// is all memory.
const char* own_begin;
size_t own_size = ~(size_t)0;

void own_memory(const char* begin, size_t size)
{
    own_begin = begin;
    own_size = size;
}

// Launches ----------------------------------------------------------------------------------------

// Begins to check a launch; false if there is no memory for it.
bool begin_checking()
{
    add_regions();
    if (!allot_cells()) {
        snprintf(
            launch.message, launch.message_size,
            "%.200s: no memory is left to check its accesses: load it with checked=False",
            launch.name);
        return false;
    }
    for (Region*& each : sites) each = &nowhere;
    if (now > LAST_TIME / 2) forget();
    launch_start = tick();
    return true;
}

void begin_checked_block()
{
    block_start = barrier = tick();
    started.push_back({block_start, 0, blockIdx});
    is_acquired = is_forgotten = false;
}

void end_checking()
{
    free_finer_cells();
    second_write.address = read_of_atomic.address = nullptr;
    started.clear();
    own_memory(nullptr, ~(size_t)0);
}

}  // namespace
}  // namespace gpucnn_simulator
