// Barriers with phases, and copies in the background.
//
// A copy writes NaN at once, and what it copies when a thread waits for it, or when the phase of its
// barrier ends: so who reads too early sees it. Shared memory counts as not written until then. The end
// of a phase orders the accesses of all threads of the block.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "checks/hooks.hpp"
#include "shared.hpp"
#include "threads.hpp"

#include <string.h>

#include <algorithm>

namespace [[gnu::visibility("default")]] gpucnn_simulator {
namespace {

// Copies ------------------------------------------------------------------------------------------

template <Kind kind> void check_copied(const char* address, size_t size, const void* pc)
{
    if (size > 0 && !is_within(address, own_begin, own_size)) check<kind>(address, size, pc);
}

void begin_copy(const Copy& copy)
{
    check_copied<READ>(copy.from, copy.size, copy.pc);
    check_copied<WRITE>(copy.to, copy.filled, copy.pc);
    check_postponed();
    fill(copy.to, copy.to + copy.filled);
    if (launch.is_checked) forget_writes(copy.to, copy.filled);
    block->has_copies = true;
}

void end_copy(const Copy& copy)
{
    observe<READ>(copy.from, copy.size, copy.pc);
    observe<WRITE>(copy.to, copy.filled, copy.pc);
    memmove(copy.to, copy.from, copy.size);
    memset(copy.to + copy.size, 0, copy.filled - copy.size);
}

// At the beginning of a block, forgets what the one before did not wait for.
void forget_copies()
{
    block->phase_wait_count = 0;
    if (!block->has_copies) return;
    for (Copies& each : block->copies) each.pending.clear(), each.stages.clear(), each.bound.clear();
    block->has_copies = false;
}

// Phases ------------------------------------------------------------------------------------------

void order_phase()
{
    check_postponed();
    order_all();
    if (launch.is_checked) mine = stamp_of(worker->running);
}

void end_bound_copies(const Barrier* barrier)
{
    if (!block->has_copies) return;
    order_phase();  // they follow what threads did before they arrived
    for (unsigned thread = 0; thread < thread_count; thread++) {
        auto& bound = block->copies[thread].bound;
        for (const Copy& each : bound)
            if (each.barrier == barrier) end_copy(each);
        const auto is_over = [=](const Copy& each) { return each.barrier == barrier; };
        bound.erase(std::remove_if(bound.begin(), bound.end(), is_over), bound.end());
    }
}

void end_phase(Barrier* barrier)
{
    end_bound_copies(barrier);
    barrier->phase++;
    barrier->left = barrier->expected;
    order_phase();
    unsigned threads[MOST_THREADS], count = 0, left = 0;
    for (unsigned i = 0; i < block->phase_wait_count; i++) {
        const PhaseWait wait = block->phase_waits[i];
        if (wait.barrier == barrier)
            threads[count++] = wait.thread;
        else
            block->phase_waits[left++] = wait;
    }
    block->phase_wait_count = left;
    put_in_order(threads, count);
    make_ready(threads, count);
}

}  // namespace

void begin_barrier(Barrier* barrier, unsigned expected)
{
    GPUCNN_ACCESS(WRITE, barrier, sizeof(Barrier));
    *barrier = {expected, expected, 0};
}

unsigned arrive(Place place, Barrier* barrier, unsigned count, unsigned dropped)
{
    GPUCNN_ACCESS(ATOMIC, barrier, sizeof(Barrier));
    if (count > barrier->left)
        give_up(
            "%s arrives %u times in %s, where the phase expects %u of %u more: initialise the barrier "
            "for as many as arrive",
            this_thread().characters, count, at(place).characters, (unsigned)barrier->left,
            (unsigned)barrier->expected);
    const unsigned phase = (unsigned)barrier->phase;
    barrier->expected -= dropped;
    barrier->left -= count;
    if (barrier->left == 0) end_phase(barrier);
    return phase;
}

void wait_for_phase(Place place, Barrier* barrier, unsigned phase)
{
    GPUCNN_ACCESS(LOAD, barrier, sizeof(Barrier));
    if ((barrier->phase ^ phase) & 1) return;
    block->phase_waits[block->phase_wait_count++] = {worker->running, place, barrier};
    wait(place, 0, -1, true, 0, Others::BLOCK);
}

void copy_later(
    void* to, const void* from, unsigned long size, unsigned long filled, Barrier* barrier)
{
    const void* pc = __builtin_return_address(0);
    const Copy copy = {(char*)to, (const char*)from, size, filled, barrier, pc};
    begin_copy(copy);
    Copies& copies = block->copies[worker->running];
    (barrier ? copies.bound : copies.pending).push_back(copy);
}

void end_stage()
{
    Copies& copies = block->copies[worker->running];
    copies.stages.push_back(copies.pending.size());
    block->has_copies = true;
}

void wait_for_stages(unsigned long later)
{
    auto& [pending, stages, bound] = block->copies[worker->running];
    if (stages.size() <= later) return;
    const auto end = stages.end() - later;
    const size_t count = *(end - 1);
    for (size_t i = 0; i < count; i++) end_copy(pending[i]);
    pending.erase(pending.begin(), pending.begin() + count);
    stages.erase(stages.begin(), end);
    for (size_t& each : stages) each -= count;
}

}  // namespace gpucnn_simulator
