// The scheduler: it runs the blocks of a launch on several threads of the host, and the threads of a
// block by turns. These are its functions that kernels and the host call.
//
// With the thread sanitizer, each CUDA thread has a fiber of its own, which is a thread to the
// sanitizer. A launch orders the host's earlier accesses before the kernel's, and these before the
// host's later ones; a barrier orders the accesses of the threads that it releases. This file is
// compiled without the sanitizer, which does not need to see the scheduler's own accesses.

#define GPUCNN_SCHEDULER

#include "checks/arithmetic.hpp"
#include "runtime.hpp"
#include "host/workers.hpp"

#include <stdarg.h>
#include <stdio.h>

#include <algorithm>

namespace [[gnu::visibility("default")]] gpucnn_simulator {

__thread uint3 threadIdx;
__thread uint3 blockIdx;
__thread dim3 blockDim;
__thread dim3 gridDim;
__thread dim3 group_dim;
__thread bool is_cooperative;
__thread int lane;
__thread bool is_in_turn;
__thread void* dynamic_shared;

int wait_for_block(Place place, int predicate)
{
    block->true_predicates += predicate != 0;
    wait(place, 0, -1, true, 0, Others::BLOCK);
    return block->result;
}

void wait_for_group(Place place)
{
    wait(place, 0, -1, true, 0, Others::GROUP);
}

unsigned long long wait_for_part(
    Place place, unsigned size, bool orders_memory, unsigned long long value, int source)
{
    block->waits[worker->running].part_size = size;
    return wait(place, 0, source, orders_memory, value, Others::PART).result;
}

void wait_for_warp(Place place, unsigned mask)
{
    check_own_lane(place, mask);
    wait(place, mask, -1, true, 0, Others::LANES);
}

unsigned vote(Place place, unsigned mask, int predicate)
{
    check_own_lane(place, mask);
    return (unsigned)wait(place, mask, -1, false, predicate != 0, Others::LANES).result;
}

unsigned long long shuffle(Place place, unsigned mask, unsigned long long value, int source)
{
    check_own_lane(place, mask);
    return wait(place, mask, source, false, value, Others::LANES).result;
}

void* shared_memory(const void* key, unsigned long size)
{
    SharedMemory* memory = find_shared_memory(key);
    if (memory != nullptr && memory->is_used) return memory->begin;
    const unsigned long before = static_shared_size();
    if (before + size > MOST_STATIC_SHARED || block->shared_memory_count == MOST_SHARED_MEMORIES)
        give_up(
            "%s declares %lu bytes of static shared memory after %lu of its block, and a device "
            "allows %lu: make its arrays smaller",
            this_thread().characters, size, before, MOST_STATIC_SHARED);
    if (memory == nullptr) {
        memory = &add_shared_memory(key, new_static_memory(size), size);
        if (launch.is_checked) add_shared_region(*memory);
    }
    begin_use(*memory);
    return memory->begin;
}

void* shared_memory_of(Place place, unsigned rank, const void* address)
{
    const SharedMemory* memory = shared_memory_at((const char*)address);
    if (memory == nullptr)
        give_up(
            "%s asks for the address of what is not in its shared memory in %s: give one that is",
            this_thread().characters, at(place).characters);
    Block* const running = block;
    Block* const other = block_of_rank(rank);
    if (other == nullptr || other->live == 0)
        give_up(
            "%s asks for the shared memory of block %u of its cluster in %s, which %s: have all wait "
            "for the cluster before they return",
            this_thread().characters, rank, at(place).characters,
            other ? "has returned" : "there is not");
    block = other;
    char* begin = memory->key ? (char*)shared_memory(memory->key, memory->size)
                              : block->shared_memories[0].begin;
    block = running;
    return begin + ((const char*)address - memory->begin);
}

unsigned active_lanes(Place place)
{
    return (unsigned)wait(place, ~0u, -1, false, 1, Others::LANES_THAT_COME).result;
}

void wait_for_turn(const void* address)
{
    if (is_in_turn || is_shared((const char*)address)) return;
    const unsigned thread = worker->running;
    block->waits[thread].fiber = worker->running_fiber;
    block->out_of_turn[block->out_of_turn_count++] = thread;
    run_others(thread);
}

void fail(Place place, const char* text)
{
    give_up("%s: %s %s", this_thread().characters, at(place).characters, text);
}

void fence()
{
    wait_for_turn(nullptr);
    if (launch.is_checked) note_fence();
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#if defined(GPUCNN_THREAD)
    static char meeting;
    __tsan_release(&meeting);
    __tsan_acquire(&meeting);
#endif
}

}  // namespace gpucnn_simulator

// What blocks print is in their order.
extern "C" __attribute__((visibility("default"))) int print(const char* format, ...)
    __asm__("gpucnn_printf");
int print(const char* format, ...)
{
    gpucnn_simulator::wait_for_turn(nullptr);
    va_list arguments;
    va_start(arguments, format);
    const int length = vprintf(format, arguments);
    va_end(arguments);
    return length;
}

// Runs a launch to its end; returns its Outcome, with a message if that is not DONE.
extern "C" __attribute__((visibility("default"))) int gpucnn_launch(
    const gpucnn_simulator::Launch* given)
{
    using namespace gpucnn_simulator;
    launch = *given;
    if (!has_turns()) launch.worker_count = 1;
    launch.worker_count = std::min(launch.worker_count, (int)MOST_WORKERS);
    worker = workers_made > 0 ? workers[0] : new_worker();
    worker->thread = pthread_self();
    locate_code(launch.kernel);
    prepare_launch();
    prepare_worker();
    if (launch.is_checked && !begin_checking()) {
        worker = nullptr;
        return FAILED;
    }
    counting = launch.counting;
    handle_signals();
    run_groups();
    restore_signals();
    counting = nullptr;
    if (launch.is_checked) end_checking();
    release_group();
    worker = nullptr;
    fflush(stdout);
    if (is_interrupted && deal.outcome != INTERRUPTED) raise(SIGINT);  // it came as the launch ended
    return deal.outcome;
}
