// Groups of blocks that live at once, and their barriers.
//
// The blocks of a group run one after another, each up to where its threads have ended or wait for the
// group.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "waits.hpp"

namespace gpucnn_simulator {
namespace {

unsigned group_size;  // blocks

// Makes a block of the group the running one.
void enter_block(unsigned place)
{
    worker->place = place;
    block = worker->blocks[place];
    blockIdx = block->index;
    dynamic_shared = block->shared_memories[0].begin;
    if (launch.is_checked) begin_checked_block();
}

// The block of a rank in the running group, or null.
Block* block_of_rank(unsigned rank)
{
    for (unsigned place = 0; place < group_size; place++)
        if (worker->blocks[place]->rank == rank) return worker->blocks[place];
    return nullptr;
}

// The first block from a place on that has not ended; the size of the group if there is none.
unsigned live_from(unsigned place)
{
    while (place < group_size && worker->blocks[place]->live == 0) place++;
    return place;
}

// Orders what all blocks of the group do after what they have done.
void order_all_of_group()
{
    if (launch.is_checked) order_group();
#if defined(GPUCNN_THREAD)
    const unsigned first = worker->blocks[0]->first_fiber;
    synchronise([=](unsigned i) { return worker->fibers[first + i]; }, group_size * thread_count);
#endif
}

// Where the first thread of a block waits that has not returned.
Place place_of(Block* waiting)
{
    Block* const running = block;
    block = waiting;
    const Place place = block->waits[first_live()].place;
    block = running;
    return place;
}

// Reports a deadlock if not all blocks of the group, none of which can go on, wait in one place. Those
// that have ended are not waited for in a cluster. In a grid each is, by its first thread, as on a device.
void check_group()
{
    enter_block(live_from(0));
    const Text who = named(first_live());
    const Place place = place_of(block);
    for (unsigned i = 0; i < group_size; i++) {
        Block* const other = worker->blocks[i];
        const uint3 index = other->index;
        if (launch.is_cooperative && other->warps[0].ended & 1)
            give_up(
                "%s waits in %s for block (%u, %u, %u), whose first thread has returned: have all "
                "threads of the grid come there",
                who.characters, at(place).characters, index.x, index.y, index.z);
        if (other->live > 0 && !same(place_of(other), place))
            give_up(
                "%s waits in %s, but block (%u, %u, %u) in %s: have all blocks come to the same one",
                who.characters, at(place).characters, index.x, index.y, index.z,
                at_other(place_of(other), place).characters);
    }
}

// Completes a barrier of the group, which all of its blocks wait for that have not ended.
void complete_group()
{
    check_group();
    order_all_of_group();
    for (unsigned place = live_from(0); place < group_size; place = live_from(place + 1)) {
        block = worker->blocks[place];
        block->waits_for_group = false;
        make_all_ready();
    }
}

// Enters the next block of the group that can go on; false if all have ended.
bool enter_next_block()
{
    unsigned next = live_from(worker->place + 1);
    if (next == group_size) {
        next = live_from(0);
        if (next == group_size) return false;
        complete_group();
    }
    enter_block(next);
    return true;
}

}  // namespace
}  // namespace gpucnn_simulator
