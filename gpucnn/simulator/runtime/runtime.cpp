// The scheduler: it runs the blocks of a launch one after another, and the threads of a block by
// turns.
//
// A thread is a call of the kernel on the stack of a fiber. A fiber runs one thread after another,
// so that a kernel without barriers costs little more than a loop. When a thread has to wait, its
// fiber is parked with it, and another fiber continues: with a thread that is ready to resume, or
// else with threads that have not started.
//
// With the thread sanitizer, each CUDA thread has a fiber of its own, which is a thread to the
// sanitizer. A launch orders the host's earlier accesses before the kernel's, and these before the
// host's later ones; a barrier orders the accesses of the threads that it releases. This file is
// compiled without the sanitizer, which does not need to see the scheduler's own accesses.

#define GPUCNN_SCHEDULER

#include "checking.hpp"
#include "counting.hpp"
#include "errors.hpp"
#include "fibers.hpp"
#include "hooks.hpp"
#include "order.hpp"
#include "runtime.hpp"
#include "shared.hpp"
#include "signals.hpp"
#include "state.hpp"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace [[gnu::visibility("default")]] gpucnn_simulator {

__thread uint3 threadIdx;
__thread uint3 blockIdx;
__thread dim3 blockDim;
__thread dim3 gridDim;
__thread int lane;
__thread void* dynamic_shared;

namespace {

// The operation that a thread waits in.
struct Wait {
    Place place;
    Fiber* fiber;
    unsigned mask;             // of a warp's operation; 0 for a block's
    int source;                // the lane that a shuffle reads, or -1
    bool orders_memory;        // true for barriers, false for shuffles and votes
    unsigned long long value;  // a shuffle's operand, or whether the predicate is true
    unsigned long long result;
    bool takes_all;  // true if it is complete with those lanes that come, whichever they are
};

struct Warp {
    unsigned ended;    // lanes that have returned or do not exist
    unsigned waiting;  // lanes that wait for other lanes
};

unsigned thread_order[MOST_THREADS];
unsigned next_in_order;  // position in thread_order of the next thread to start
unsigned live;           // threads that have not returned

Wait waits[MOST_THREADS];
Warp warps[MOST_THREADS / WARP];

unsigned ready[MOST_THREADS];  // ring buffer of the threads that are ready to resume
unsigned ready_begin, ready_count;

int true_predicates;
int block_result;

#if defined(GPUCNN_THREAD)
unsigned first_of_block;  // the fiber of the first thread of the block
#endif

// Readiness ---------------------------------------------------------------------------------------

bool has_ended(unsigned thread)
{
    return warps[thread / WARP].ended >> thread % WARP & 1;
}

void make_ready(const unsigned* threads, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ready[(ready_begin + ready_count++) % MOST_THREADS] = threads[i];
}

unsigned take_ready()
{
    const unsigned thread = ready[ready_begin];
    ready_begin = (ready_begin + 1) % MOST_THREADS;
    ready_count--;
    return thread;
}

bool same(const Place& a, const Place& b)
{
    return a.line == b.line && a.function == b.function &&
           (a.file == b.file || strcmp(a.file, b.file) == 0);
}

bool same_operation(const Wait& a, const Wait& b)
{
    return a.mask == b.mask && same(a.place, b.place);
}

// Completes a warp's operation: computes the result of each lane, and makes the lanes ready.
void complete(unsigned first, unsigned lanes)
{
    unsigned threads[WARP], count = 0;
    unsigned long long ballot = 0;
    for (unsigned lane = 0; lane < WARP; lane++) {
        if (!(lanes >> lane & 1)) continue;
        threads[count++] = first + lane;
        if (waits[first + lane].value != 0) ballot |= 1ull << lane;
    }
    for (unsigned i = 0; i < count; i++) {
        Wait& wait = waits[threads[i]];
        wait.result = wait.source < 0 ? ballot : waits[first + wait.source].value;
        if (wait.source >= 0 && !(lanes >> wait.source & 1))
            give_up(
                "%s reads lane %d in %s, which takes no part: have every lane that is read take "
                "part, or read another",
                named(threads[i]).characters, wait.source, at(wait.place).characters);
    }
    warps[first / WARP].waiting &= ~lanes;
    if (launch.is_checked && waits[threads[0]].orders_memory) order_lanes(first, lanes);
#if defined(GPUCNN_THREAD)
    if (waits[threads[0]].orders_memory)
        synchronise([&](unsigned i) { return waits[threads[i]].fiber; }, count);
#endif
    put_in_order(threads, count);
    make_ready(threads, count);
}

// Completes a waiting thread's operation if all lanes of its mask have arrived.
void complete_if_all_wait(unsigned thread)
{
    const unsigned first = thread / WARP * WARP;
    const Warp& warp = warps[thread / WARP];
    const unsigned lanes = waits[thread].mask & ~warp.ended;
    if (lanes & ~warp.waiting) return;
    for (unsigned lane = 0; lane < WARP; lane++)
        if (lanes >> lane & 1 && !same_operation(waits[thread], waits[first + lane])) return;
    complete(first, lanes);
}

// Completes the operations of a warp that waited only for a lane that has returned.
void complete_without_ended(unsigned warp)
{
    for (unsigned lane = 0; lane < WARP; lane++)
        if (warps[warp].waiting >> lane & 1) complete_if_all_wait(warp * WARP + lane);
}

// Reports a deadlock: all live threads wait, and this one waits for lanes that wait elsewhere.
[[noreturn]] void give_up_warp(unsigned thread)
{
    const Wait& wait = waits[thread];
    const unsigned first = thread / WARP * WARP;
    unsigned lane = 0;
    while (!(wait.mask & ~warps[thread / WARP].ended & 1u << lane) ||
           same_operation(wait, waits[first + lane]))
        lane++;
    const Wait& other = waits[first + lane];
    char mask[40] = "";
    if (other.mask) snprintf(mask, sizeof(mask), " with mask 0x%08x", other.mask);
    give_up(
        "%s waits in %s with mask 0x%08x for lane %u, %s, which waits in %s%s: have all lanes of a "
        "mask call the same function with that mask, or leave those out that do not",
        named(thread).characters, at(wait.place).characters, wait.mask, lane,
        named(first + lane).characters, at(other.place).characters, mask);
}

// Completes a barrier of the block, for which all live threads wait, if they wait in one place. Those
// that have returned are not waited for, as since sm_70.
void complete_block()
{
    unsigned waiting = 0;
    while (has_ended(waiting)) waiting++;
    for (unsigned thread = 0; thread < thread_count; thread++) {
        if (has_ended(thread)) continue;
        if (!same(waits[thread].place, waits[waiting].place))
            give_up(
                "%s waits in %s, but %s in %s: have all threads of a block come to the same "
                "__syncthreads",
                named(waiting).characters, at(waits[waiting].place).characters,
                named(thread).characters, at(waits[thread].place).characters);
    }
    block_result = true_predicates;
    true_predicates = 0;
    if (launch.is_checked) order_block();
#if defined(GPUCNN_THREAD)
    synchronise([](unsigned i) { return fibers[first_of_block + i]; }, thread_count);
#endif
    unsigned threads[MOST_THREADS], count = 0;
    for (unsigned thread = 0; thread < thread_count; thread++)
        if (!has_ended(thread)) threads[count++] = thread;
    put_in_order(threads, count);
    make_ready(threads, count);
}

// The lanes of a warp that wait together in an operation that takes all that come.
unsigned lanes_taken(unsigned warp)
{
    unsigned lanes = 0;
    const Wait* taken = nullptr;
    for (unsigned lane = 0; lane < WARP; lane++) {
        const Wait& wait = waits[warp * WARP + lane];
        if (!(warps[warp].waiting >> lane & 1) || !wait.takes_all) continue;
        if (taken == nullptr) taken = &wait;
        if (same_operation(wait, *taken)) lanes |= 1u << lane;
    }
    return lanes;
}

// No thread is ready: completes the operations that took all lanes that come, or the barrier that all
// wait for, or reports the deadlock.
void resolve()
{
    for (unsigned warp = 0; warp * WARP < thread_count; warp++)
        if (const unsigned lanes = lanes_taken(warp)) complete(warp * WARP, lanes);
    if (ready_count > 0) return;
    for (unsigned warp = 0; warp * WARP < thread_count; warp++)
        if (warps[warp].waiting) give_up_warp(warp * WARP + __builtin_ctz(warps[warp].waiting));
    complete_block();
}

// Threads -----------------------------------------------------------------------------------------

// A fiber for threads that have not started.
Fiber* starting_fiber()
{
#if defined(GPUCNN_THREAD)
    return fibers[first_of_block + thread_order[next_in_order]];
#else
    if (idle_fibers == nullptr) return new_fiber();
    Fiber* fiber = idle_fibers;
    idle_fibers = fiber->next;
    return fiber;
#endif
}

// The fiber to switch to when the running one cannot continue.
Fiber* next_fiber()
{
    if (is_interrupted) give_up_interrupted(nullptr);
    if (ready_count == 0 && next_in_order < thread_count) return starting_fiber();
    if (ready_count == 0 && live == 0) return &host;
    if (ready_count == 0) resolve();
    return waits[take_ready()].fiber;
}

void set_running(unsigned thread)
{
    running = thread;
    threadIdx = thread_indices[thread];
    lane = (int)(thread % WARP);
    if (!launch.is_checked) return;
    mine = stamp_of(thread);
    own_memory(running_fiber->stack, running_fiber->stack_size);
}

void run_next_thread()
{
    set_running(thread_order[next_in_order++]);
    launch.kernel->call(launch.arguments);
    check_postponed();
    live--;
    const unsigned warp = running / WARP;
    warps[warp].ended |= 1u << running % WARP;
    if (warps[warp].waiting) complete_without_ended(warp);
}

// The main loop of a fiber.
void run_threads()
{
    for (;;) {
#if defined(GPUCNN_THREAD)
        run_next_thread();
        switch_to(next_fiber());
#else
        while (ready_count == 0 && next_in_order < thread_count) run_next_thread();
        make_idle(running_fiber);
        switch_to(next_fiber());
#endif
    }
}

// Makes the running thread wait; returns when its operation is complete.
//
// Each thread comes here for each value that it shuffles. So it is inlined, as the processor foresees
// returns after a switch only if they are few and the same for all threads; and it stores what it is
// given a field at a time, as the processor stalls where it copies what was just stored in parts.
[[gnu::always_inline]] inline const Wait& wait(
    const Place& place, unsigned mask, int source, bool orders_memory, unsigned long long value,
    bool takes_all = false)
{
    const unsigned thread = running;
    check_postponed();
    Wait& wait = waits[thread];
    wait.place.function = place.function;
    wait.place.file = place.file;
    wait.place.line = place.line;
    wait.fiber = running_fiber;
    wait.mask = mask;
    wait.source = source;
    wait.orders_memory = orders_memory;
    wait.takes_all = takes_all;
    wait.value = value;
    if (mask) {
        warps[thread / WARP].waiting |= 1u << thread % WARP;
        complete_if_all_wait(thread);
    }
    Fiber* fiber = next_fiber();
    if (fiber != running_fiber) switch_to(fiber);
    set_running(thread);
    return wait;
}

void check_own_lane(Place place, unsigned mask)
{
    if (!(mask >> running % WARP & 1))
        give_up(
            "%s, lane %u, calls %s with mask 0x%08x, in which it is not: give a mask of the lanes "
            "that make the call",
            named(running).characters, running % WARP, at(place).characters, mask);
}

}  // namespace

int wait_for_block(Place place, int predicate)
{
    true_predicates += predicate != 0;
    wait(place, 0, -1, true, 0);
    return block_result;
}

void wait_for_warp(Place place, unsigned mask)
{
    check_own_lane(place, mask);
    wait(place, mask, -1, true, 0);
}

unsigned vote(Place place, unsigned mask, int predicate)
{
    check_own_lane(place, mask);
    return (unsigned)wait(place, mask, -1, false, predicate != 0).result;
}

unsigned long long shuffle(Place place, unsigned mask, unsigned long long value, int source)
{
    check_own_lane(place, mask);
    return wait(place, mask, source, false, value).result;
}

void* shared_memory(const void* key, unsigned long size)
{
    SharedMemory* memory = find_shared_memory(key);
    if (memory != nullptr && memory->is_used) return memory->begin;
    const unsigned long before = static_shared_size();
    if (before + size > MOST_STATIC_SHARED || shared_memory_count == MOST_SHARED_MEMORIES)
        give_up(
            "%s declares %lu bytes of static shared memory after %lu of its block, and a device "
            "allows %lu: make its arrays smaller",
            named(running).characters, size, before, MOST_STATIC_SHARED);
    if (memory == nullptr) {
        memory = &add_shared_memory(key, new_static_memory(size), size);
        if (launch.is_checked) add_shared_region(*memory);
    }
    begin_use(*memory);
    return memory->begin;
}

unsigned active_lanes(Place place)
{
    return (unsigned)wait(place, ~0u, -1, false, 1, true).result;
}

void fail(Place place, const char* text)
{
    give_up("%s: %s %s", named(running).characters, at(place).characters, text);
}

void fence()
{
    if (launch.is_checked) note_fence();
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#if defined(GPUCNN_THREAD)
    static char meeting;
    __tsan_release(&meeting);
    __tsan_acquire(&meeting);
#endif
}

// Blocks ------------------------------------------------------------------------------------------

namespace {

unsigned long long product(const unsigned* sizes)
{
    return (unsigned long long)sizes[0] * sizes[1] * sizes[2];
}

void prepare_threads()
{
    thread_count = (unsigned)product(launch.block);
    for (unsigned i = 0; i < thread_count; i++) {
        const unsigned row = i / launch.block[0];
        thread_indices[i] = {i % launch.block[0], row % launch.block[1], row / launch.block[1]};
        thread_order[i] = i;
    }
    if (launch.order == REVERSED) put_in_order(thread_order, thread_count);
    blockDim = {launch.block[0], launch.block[1], launch.block[2]};
    gridDim = {launch.grid[0], launch.grid[1], launch.grid[2]};
}

void prepare_block(unsigned long long block)
{
    const unsigned long long row = block / launch.grid[0];
    blockIdx = {
        (unsigned)(block % launch.grid[0]), (unsigned)(row % launch.grid[1]),
        (unsigned)(row / launch.grid[1])};
    if (launch.order == SHUFFLED) put_in_order(thread_order, thread_count);
    for (unsigned warp = 0; warp * WARP < thread_count; warp++) {
        const unsigned lanes = thread_count - warp * WARP;
        warps[warp] = {lanes < WARP ? ~0u << lanes : 0u, 0};
    }
    next_in_order = ready_count = 0;
    true_predicates = 0;
    live = thread_count;
    if (launch.is_checked) begin_checked_block();
}

void run_block(unsigned long long block)
{
    prepare_block(block);
    dynamic_shared = begin_block_of_shared_memories(launch.dynamic_shared);
#if defined(GPUCNN_THREAD)
    synchronise_with_host(first_of_block, thread_count);
#endif
    switch_to(starting_fiber());
}

#if defined(GPUCNN_THREAD)

void end_fibers(unsigned count)
{
    synchronise_with_host(0, count);
    free_kept_memory();
}

#endif

unsigned long long block_at(const BlockOrder& order, unsigned long long place)
{
    const unsigned long long i = order.at(place);
    return launch.blocks ? (unsigned long long)launch.blocks[i] : i;
}

void run_blocks()
{
    const BlockOrder order(launch.block_count);
#if defined(GPUCNN_THREAD)
    const unsigned long long most = MOST_FIBERS / thread_count;
    for (unsigned long long i = 0; i < launch.block_count && outcome == DONE; i += most) {
        const unsigned long long left = launch.block_count - i;
        const unsigned count = (unsigned)(left < most ? left : most);
        prepare_fibers(count * thread_count);
        for (unsigned j = 0; j < count && outcome == DONE; j++) {
            first_of_block = j * thread_count;
            run_block(block_at(order, i + j));
        }
        end_fibers(count * thread_count);
    }
#else
    for (unsigned long long i = 0; i < launch.block_count && outcome == DONE; i++)
        run_block(block_at(order, i));
#endif
}

}  // namespace
}  // namespace gpucnn_simulator

// Runs a launch to its end; returns its Outcome, with a message if that is not DONE.
extern "C" __attribute__((visibility("default"))) int gpucnn_launch(
    const gpucnn_simulator::Launch* given)
{
    using namespace gpucnn_simulator;
    launch = *given;
    outcome = DONE;
    locate_code(launch.kernel);
    choose_order(launch.order, launch.seed);
    begin_on_host();
    prepare_threads();
    begin_shared_memories(launch.dynamic_shared);
    if (launch.is_checked && !begin_checking()) return FAILED;
    counting = launch.counting;
    handle_signals();
    run_blocks();
    restore_signals();
    counting = nullptr;
    if (launch.is_checked) end_checking();
    if (outcome != DONE) forget_threads();
    fflush(stdout);
    return outcome;
}
