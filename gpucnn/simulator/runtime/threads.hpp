// Running the threads of a block by turns.
//
// A thread is a call of the kernel on the stack of a fiber. A fiber runs one thread after another,
// so that a kernel without barriers costs little more than a loop. When a thread has to wait, its
// fiber is parked with it, and another fiber continues: with a thread that is ready to resume, or
// else with threads that have not started.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "groups.hpp"
#include "host/signals.hpp"

namespace gpucnn_simulator {
namespace {

// A fiber for threads that have not started.
Fiber* starting_fiber()
{
#if defined(GPUCNN_THREAD)
    return worker->fibers[block->first_fiber + block->thread_order[block->next_in_order]];
#else
    if (worker->idle_fibers == nullptr) return new_fiber();
    Fiber* fiber = worker->idle_fibers;
    worker->idle_fibers = fiber->next;
    return fiber;
#endif
}

// The fiber to switch to when the running one cannot continue.
Fiber* next_fiber()
{
    if (worker->must_stop.load(std::memory_order_relaxed)) give_up_stopped(nullptr);
    while (block->ready_count == 0) {
        if (block->next_in_order < thread_count) return starting_fiber();
        if (block->live > 0) resolve();
        if ((block->live == 0 || block->waits_for_group) && !enter_next_block()) return worker->host;
    }
    return block->waits[take_ready()].fiber;
}

void set_running(unsigned thread)
{
    worker->running = thread;
    threadIdx = thread_indices[thread];
    lane = (int)(thread % WARP);
    if (!launch.is_checked) return;
    mine = stamp_of(thread);
    own_memory(worker->running_fiber->stack, worker->running_fiber->stack_size);
}

void run_next_thread()
{
    if (block->next_in_order % 16 == 0) share_long_launch();
    set_running(block->thread_order[block->next_in_order++]);
    launch.kernel->call(launch.arguments);
    check_postponed();
    block->live--;
    const unsigned warp = worker->running / WARP;
    block->warps[warp].ended |= 1u << worker->running % WARP;
    if (block->warps[warp].waiting) complete_without_ended(warp);
}

// The main loop of a fiber.
void run_threads()
{
    for (;;) {
#if defined(GPUCNN_THREAD)
        run_next_thread();
        switch_to(next_fiber());
#else
        while (block->ready_count == 0 && block->next_in_order < thread_count) run_next_thread();
        make_idle(worker->running_fiber);
        switch_to(next_fiber());
#endif
    }
}

// Runs others until the running thread is made ready.
[[gnu::always_inline]] inline void run_others(unsigned thread)
{
    Fiber* fiber = next_fiber();
    if (fiber != worker->running_fiber) switch_to(fiber);
    set_running(thread);
}

// Makes the running thread wait; returns when its operation is complete.
//
// Each thread comes here for each value that it shuffles. So it is inlined, as the processor foresees
// returns after a switch only if they are few and the same for all threads; and it stores what it is
// given a field at a time, as the processor stalls where it copies what was just stored in parts.
[[gnu::always_inline]] inline const Wait& wait(
    const Place& place, unsigned mask, int source, bool orders_memory, unsigned long long value,
    Others others)
{
    const unsigned thread = worker->running;
    check_postponed();
    Wait& wait = block->waits[thread];
    wait.place.function = place.function;
    wait.place.file = place.file;
    wait.place.line = place.line;
    wait.fiber = worker->running_fiber;
    wait.others = others;
    wait.mask = mask;
    wait.source = source;
    wait.orders_memory = orders_memory;
    wait.value = value;
    if (mask) {
        block->warps[thread / WARP].waiting |= 1u << thread % WARP;
        complete_if_all_wait(thread);
    }
    run_others(thread);
    return wait;
}

void check_own_lane(Place place, unsigned mask)
{
    if (!(mask >> worker->running % WARP & 1))
        give_up(
            "%s, lane %u, calls %s with mask 0x%08x, in which it is not: give a mask of the lanes "
            "that make the call",
            this_thread().characters, worker->running % WARP, at(place).characters, mask);
}

}  // namespace
}  // namespace gpucnn_simulator
