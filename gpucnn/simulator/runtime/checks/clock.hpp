// The clock of checked launches: when the accesses to memory were, and which are ordered.
//
// It ticks where threads are ordered, at the start of a block and at barriers. So a stamp from before
// the running block's latest barrier is ordered before all that follows; and what a lane did before a
// barrier of a part of its warp, is ordered before what the lanes do that took part (`seen`). Blocks,
// and threads that take a lock in global memory, are ordered by a fence of the earlier, and an atomic
// operation of the later one.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "../state.hpp"
#include "regions.hpp"

#include <string.h>

#include <algorithm>
#include <vector>

namespace gpucnn_simulator {
namespace {

// Stamps ------------------------------------------------------------------------------------------

using Time = unsigned;

constexpr Time LAST_TIME = (1u << (32 - THREAD_BITS)) - 2;

constexpr unsigned SMALLEST_PART = 64, PARTS = 5;  // of the block, in threads, and sizes of them

Time now;                          // never 0, the time in a cell without an access
Time launch_start, group_start;    // of the running ones
Time group_barrier;                // the latest at which all blocks of the group were ordered
Time block_start;                  // of the running one, or when it went on after that
Time barrier;                      // the latest at which all threads of the block were ordered
Time latest[MOST_THREADS];         // at which a thread was ordered with others of its warp
Time seen[MOST_THREADS][WARP];     // up to which the lanes of its warp are ordered before a thread
Time part_barriers[PARTS][MOST_THREADS];  // at which a thread's part of 64 << i was ordered
Stamp mine;                        // of the running thread
bool is_forgotten;                 // whether earlier accesses of the running group are forgotten

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
    memset(part_barriers, 0, sizeof(part_barriers));
    started.clear();
    now = launch_start = group_start = group_barrier = block_start = barrier = 1;
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

void order_group()
{
    group_barrier = tick();
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

// Orders the accesses of the threads from `begin` to `end`, a part of the block, at a barrier of it.
void order_part(unsigned begin, unsigned end, unsigned size)
{
    const Time after = tick();
    Time* const barriers = part_barriers[__builtin_ctz(size / SMALLEST_PART)];
    for (unsigned thread = begin; thread < end; thread++) barriers[thread] = latest[thread] = after;
}

bool is_ordered_in_part(Time time, unsigned thread)
{
    for (unsigned i = 0; i < PARTS; i++) {
        const unsigned size = SMALLEST_PART << i;
        if (thread / size != worker->running / size) continue;
        if (time < part_barriers[i][worker->running]) return true;
    }
    return false;
}

void note_fence()
{
    started.back().fence = tick();
    latest[worker->running] = now;
    mine = stamp_of(worker->running);
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
    if (time < group_start && region.is_shared) return false;  // what lay there before
    if (time >= group_start && time < group_barrier) return false;
    if (time < block_start) return !(block->is_acquired && block_of(stamp).fence > time);
    if (time < barrier || thread == worker->running) return false;
    const bool is_fenced = block->is_acquired && started.back().fence > time;  // as by a lock
    if (!region.is_shared && is_fenced) return false;
    if (is_ordered_in_part(time, thread)) return false;
    return thread / WARP != worker->running / WARP || time > seen[worker->running][thread % WARP];
}

}  // namespace
}  // namespace gpucnn_simulator
