// The operations that threads wait in, for others of their warp or block, and their completion.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "checks/checking.hpp"
#include "errors.hpp"
#include "fibers.hpp"
#include "order.hpp"
#include "state.hpp"
#include "host/turns.hpp"

#include <stdio.h>
#include <string.h>

#include <algorithm>

namespace gpucnn_simulator {
namespace {

void share_long_launch();

bool has_ended(unsigned thread)
{
    return block->warps[thread / WARP].ended >> thread % WARP & 1;
}

void make_ready(const unsigned* threads, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        block->ready[(block->ready_begin + block->ready_count++) % MOST_THREADS] = threads[i];
}

void make_all_ready()
{
    unsigned threads[MOST_THREADS], count = 0;
    for (unsigned thread = 0; thread < thread_count; thread++)
        if (!has_ended(thread)) threads[count++] = thread;
    put_in_order(threads, count);
    make_ready(threads, count);
}

unsigned take_ready()
{
    const unsigned thread = block->ready[block->ready_begin];
    block->ready_begin = (block->ready_begin + 1) % MOST_THREADS;
    block->ready_count--;
    return thread;
}

bool same(const Place& a, const Place& b)
{
    return a.line.number == b.line.number && a.line.column == b.line.column &&
           a.function == b.function && (a.file == b.file || strcmp(a.file, b.file) == 0);
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
        if (block->waits[first + lane].value != 0) ballot |= 1ull << lane;
    }
    for (unsigned i = 0; i < count; i++) {
        Wait& wait = block->waits[threads[i]];
        wait.result = wait.source < 0 ? ballot : block->waits[first + wait.source].value;
        if (wait.source >= 0 && !(lanes >> wait.source & 1))
            give_up(
                "%s reads lane %d in %s, which takes no part: have every lane that is read take "
                "part, or read another",
                named(threads[i]).characters, wait.source, at(wait.place).characters);
    }
    block->warps[first / WARP].waiting &= ~lanes;
    if (launch.is_checked && block->waits[threads[0]].orders_memory) order_lanes(first, lanes);
#if defined(GPUCNN_THREAD)
    if (block->waits[threads[0]].orders_memory)
        synchronise([&](unsigned i) { return block->waits[threads[i]].fiber; }, count);
#endif
    put_in_order(threads, count);
    make_ready(threads, count);
}

// Completes a waiting thread's operation if all lanes of its mask have arrived.
void complete_if_all_wait(unsigned thread)
{
    const unsigned first = thread / WARP * WARP;
    const Warp& warp = block->warps[thread / WARP];
    const unsigned lanes = block->waits[thread].mask & ~warp.ended;
    if (lanes & ~warp.waiting) return;
    for (unsigned lane = 0; lane < WARP; lane++)
        if (lanes >> lane & 1 && !same_operation(block->waits[thread], block->waits[first + lane]))
            return;
    complete(first, lanes);
}

// Completes the operations of a warp that waited only for a lane that has returned.
void complete_without_ended(unsigned warp)
{
    for (unsigned lane = 0; lane < WARP; lane++)
        if (block->warps[warp].waiting >> lane & 1) complete_if_all_wait(warp * WARP + lane);
}

// Reports a deadlock: all live threads wait, and this one waits for lanes that wait elsewhere.
[[noreturn]] void give_up_warp(unsigned thread)
{
    const Wait& wait = block->waits[thread];
    const unsigned first = thread / WARP * WARP;
    unsigned lane = 0;
    while (!(wait.mask & ~block->warps[thread / WARP].ended & 1u << lane) ||
           same_operation(wait, block->waits[first + lane]))
        lane++;
    const Wait& other = block->waits[first + lane];
    char mask[40] = "";
    if (other.mask) snprintf(mask, sizeof(mask), " with mask 0x%08x", other.mask);
    give_up(
        "%s waits in %s with mask 0x%08x for lane %u, %s, which waits in %s%s: have all lanes of a "
        "mask call the same function with that mask, or leave those out that do not",
        named(thread).characters, at(wait.place).characters, wait.mask, lane,
        named(first + lane).characters, at_other(other.place, wait.place).characters, mask);
}

// Orders what all threads of the block do after what they have done.
void order_all()
{
    if (launch.is_checked) order_block();
#if defined(GPUCNN_THREAD)
    synchronise([](unsigned i) { return worker->fibers[block->first_fiber + i]; }, thread_count);
#endif
}

unsigned first_live()
{
    unsigned thread = 0;
    while (has_ended(thread)) thread++;
    return thread;
}

// Completes a barrier of the block, for which all live threads wait, if they wait in one place. Those
// that have returned are not waited for, as since sm_70.
void complete_block()
{
    const Wait& first = block->waits[first_live()];
    for (unsigned thread = 0; thread < thread_count; thread++) {
        const Wait& wait = block->waits[thread];
        if (has_ended(thread) || same(wait.place, first.place)) continue;
        const bool is_of_part = wait.others == Others::PART || first.others == Others::PART;
        give_up(
            "%s waits in %s, but %s in %s: have all threads of a %s come to the same %s",
            named(first_live()).characters, at(first.place).characters, named(thread).characters,
            at_other(wait.place, first.place).characters, is_of_part ? "tile" : "block",
            is_of_part ? "call" : "__syncthreads");
    }
    share_long_launch();
    if (first.others == Others::GROUP) {
        block->waits_for_group = true;
        return;
    }
    block->result = block->true_predicates;
    block->true_predicates = 0;
    order_all();
    make_all_ready();
}

// Reports a deadlock: all live threads wait, and this one for arrivals at a barrier.
[[noreturn]] void give_up_phase(const PhaseWait& wait)
{
    give_up(
        "%s waits in %s for %u of %u arrivals, and all others wait too or have returned: have as many "
        "threads arrive as the barrier was initialised for",
        named(wait.thread).characters, at(wait.place).characters, (unsigned)wait.barrier->left,
        (unsigned)wait.barrier->expected);
}

// The lanes of a warp that wait together in an operation that takes all that come.
unsigned lanes_taken(unsigned warp)
{
    unsigned lanes = 0;
    const Wait* taken = nullptr;
    for (unsigned lane = 0; lane < WARP; lane++) {
        const Wait& wait = block->waits[warp * WARP + lane];
        if (!(block->warps[warp].waiting >> lane & 1) || wait.others != Others::LANES_THAT_COME)
            continue;
        if (taken == nullptr) taken = &wait;
        if (same_operation(wait, *taken)) lanes |= 1u << lane;
    }
    return lanes;
}

// The end of the part of the block that begins with `first`, and all of whose live threads wait in one
// operation of it; `first` if there is none.
unsigned end_of_part(unsigned first)
{
    if (has_ended(first) || block->waits[first].others != Others::PART) return first;
    const Wait& wait = block->waits[first];
    const unsigned begin = first / wait.part_size * wait.part_size;
    const unsigned end = std::min(begin + wait.part_size, thread_count);
    for (unsigned thread = begin; thread < end; thread++) {
        const Wait& other = block->waits[thread];
        if (has_ended(thread)) continue;
        if (other.others != Others::PART || other.part_size != wait.part_size) return first;
        if (!same(other.place, wait.place)) return first;
    }
    return end;
}

// Completes an operation of the threads from `begin` to `end`.
void complete_part(unsigned begin, unsigned end)
{
    unsigned threads[MOST_THREADS], count = 0;
    unsigned long long true_predicates = 0;
    for (unsigned thread = begin; thread < end; thread++) {
        if (has_ended(thread)) continue;
        threads[count++] = thread;
        true_predicates += block->waits[thread].value != 0;
    }
    for (unsigned i = 0; i < count; i++) {
        Wait& wait = block->waits[threads[i]];
        const unsigned source = begin + wait.source;
        if (wait.source >= 0 && has_ended(source))
            give_up(
                "%s reads %s in %s, which has returned: have it take part, or read another",
                named(threads[i]).characters, named(source).characters, at(wait.place).characters);
        wait.result = wait.source < 0 ? true_predicates : block->waits[source].value;
    }
    const Wait& wait = block->waits[threads[0]];
    if (launch.is_checked && wait.orders_memory) order_part(begin, end, wait.part_size);
#if defined(GPUCNN_THREAD)
    if (wait.orders_memory)
        synchronise([&](unsigned i) { return block->waits[threads[i]].fiber; }, count);
#endif
    put_in_order(threads, count);
    make_ready(threads, count);
}

void complete_parts()
{
    for (unsigned first = 0; first < thread_count;) {
        const unsigned end = end_of_part(first);
        const unsigned size = block->waits[first].part_size;
        if (end > first) complete_part(first / size * size, end);
        first = std::max(end, first + 1);
    }
}

// Releases the threads that waited for the turn of their block.
void begin_turn()
{
    wait_until_first();
    is_in_turn = true;
    make_ready(block->out_of_turn, block->out_of_turn_count);
    block->out_of_turn_count = 0;
}

// No thread is ready: releases those that wait for their turn, or completes the operations that took
// all lanes that come, those of parts, or the barrier that all wait for, or reports the deadlock.
void resolve()
{
    if (block->out_of_turn_count > 0) return begin_turn();
    for (unsigned warp = 0; warp * WARP < thread_count; warp++)
        if (const unsigned lanes = lanes_taken(warp)) complete(warp * WARP, lanes);
    complete_parts();
    if (block->ready_count > 0) return;
    for (unsigned warp = 0; warp * WARP < thread_count; warp++)
        if (const unsigned waiting = block->warps[warp].waiting)
            give_up_warp(warp * WARP + __builtin_ctz(waiting));
    if (block->phase_wait_count > 0) give_up_phase(block->phase_waits[0]);
    complete_block();
}

}  // namespace
}  // namespace gpucnn_simulator
