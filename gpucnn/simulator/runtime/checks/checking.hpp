// Checking each access of a launch to memory: that it lies in an array of the launch, in shared
// memory or in a variable of the module, that shared memory was written before it is read, and that
// no two threads access one place without an order, one of them to write it.
//
// The latest accesses to each place are in cells (regions.hpp), each identified by a stamp: its
// thread, and the time of the clock (clock.hpp).
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "../fibers.hpp"
#include "clock.hpp"
#include "faults.hpp"
#include "heap.hpp"
#include "regions.hpp"

#include <algorithm>

namespace gpucnn_simulator {
namespace {

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
    return std::max(cell.write.stamp, cell.atomic.stamp) >> THREAD_BITS < group_start;
}

void check_is_written(const Cell* cells, size_t count, const void* pc)
{
    if (is_forgotten || !std::all_of(cells, cells + count, is_unwritten)) return;
    give_up(
        "%s reads shared memory%s that no thread of the block has written: write it first, and "
        "call __syncthreads() in between if another thread does, or wait for the copy to it",
        this_thread().characters, at(pc).characters);
}

// Shared memory counts as not written until a copy to it arrives.
void forget_writes(const char* address, size_t size)
{
    for (Region& each : regions) {
        if (!each.is_shared || !is_within(address, each.begin, each.size)) continue;
        Cell* cells = each.cells + ((address - each.begin) >> each.granule);
        for (size_t i = 0; i < size >> each.granule; i++) cells[i].write = cells[i].atomic = {};
    }
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
    if (kind != READ && kind != WRITE && !region->is_shared) block->is_acquired = true;
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

void begin_checked_group()
{
    group_start = group_barrier = now + 1;  // when its first block starts
    is_forgotten = false;
}

void begin_checked_block()
{
    block_start = barrier = tick();
    started.push_back({block_start, 0, blockIdx});
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
