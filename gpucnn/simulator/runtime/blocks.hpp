// Running the blocks of a launch, in groups of those that live at once.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "checks/checking.hpp"
#include "order.hpp"
#include "phases.hpp"
#include "shared.hpp"
#include "threads.hpp"

#include <algorithm>

namespace gpucnn_simulator {
namespace {

unsigned long long group_count;
Permutation order_of_groups, order_in_group;

unsigned product(const unsigned* sizes)
{
    return sizes[0] * sizes[1] * sizes[2];
}

uint3 index_of(unsigned long long i, const unsigned* sizes)
{
    const unsigned long long row = i / sizes[0];
    return {
        (unsigned)(i % sizes[0]), (unsigned)(row % sizes[1]), (unsigned)(row / sizes[1])};
}

// Prepares what all workers share.
void prepare_launch()
{
    thread_count = product(launch.block);
    for (unsigned i = 0; i < thread_count; i++) thread_indices[i] = index_of(i, launch.block);
    group_size = product(launch.group);
    group_count = launch.block_count / group_size;
    seed_order(~0ull);
    order_of_groups = Permutation(group_count);
    order_in_group = Permutation(group_size);
}

// Prepares a worker for the launch.
void prepare_worker()
{
    blockDim = {launch.block[0], launch.block[1], launch.block[2]};
    gridDim = {launch.grid[0], launch.grid[1], launch.grid[2]};
    group_dim = {launch.group[0], launch.group[1], launch.group[2]};
    is_cooperative = launch.is_cooperative;
    worker->outcome = DONE;
    worker->must_stop = false;
    worker->waited = 0;
    begin_on_host();
    while (worker->blocks.size() < group_size) worker->blocks.push_back(new Block());
    for (unsigned i = 0; i < group_size; i++) {
        block = worker->blocks[i];
        for (unsigned j = 0; j < thread_count; j++) block->thread_order[j] = j;
        if (launch.order == REVERSED) put_in_order(block->thread_order, thread_count);
        begin_shared_memories(launch.dynamic_shared);
    }
}

// Frees what only a group of several blocks needs.
void release_group()
{
    if (group_size == 1) return;
    while (worker->blocks.size() > 1) {
        block = worker->blocks.back();
        release_shared_memories();
        delete block;
        worker->blocks.pop_back();
    }
    block = worker->blocks[0];
    if (!IS_SANITIZED) release_fibers();
}

// The block of a rank in the group at a position.
uint3 block_at(Position position, unsigned rank)
{
    const unsigned long long i = order_of_groups.at(position);
    if (launch.blocks) return index_of((unsigned long long)launch.blocks[i], launch.grid);
    const unsigned* size = launch.group;
    const unsigned groups[3] = {
        launch.grid[0] / size[0], launch.grid[1] / size[1], launch.grid[2] / size[2]};
    const uint3 group = index_of(i, groups);
    const uint3 inner = index_of(rank, size);
    return {group.x * size[0] + inner.x, group.y * size[1] + inner.y, group.z * size[2] + inner.z};
}

void prepare_block(uint3 index)
{
    block->index = index;
    if (launch.order == SHUFFLED) {
        seed_order(
            index.x + launch.grid[0] * (index.y + (unsigned long long)launch.grid[1] * index.z));
        for (unsigned i = 0; i < thread_count; i++) block->thread_order[i] = i;
        put_in_order(block->thread_order, thread_count);
    }
    for (unsigned warp = 0; warp * WARP < thread_count; warp++) {
        const unsigned lanes = thread_count - warp * WARP;
        block->warps[warp] = {lanes < WARP ? ~0u << lanes : 0u, 0};
    }
    block->next_in_order = block->ready_count = block->out_of_turn_count = 0;
    block->true_predicates = 0;
    block->live = thread_count;
    block->waits_for_group = block->is_acquired = false;
    begin_block_of_shared_memories(launch.dynamic_shared);
    forget_copies();
#if defined(GPUCNN_THREAD)
    synchronise_with_host(block->first_fiber, thread_count);
#endif
}

#if defined(GPUCNN_THREAD)

unsigned fibers_prepared;

void end_fibers()
{
    synchronise_with_host(0, fibers_prepared);
    free_kept_memory();
}

// Gives each thread of a group a fiber, of those that are prepared for several groups.
void allot_fibers(Position position)
{
    const unsigned fibers_of_group = group_size * thread_count;
    const unsigned most = std::max(MOST_FIBERS / fibers_of_group, 1u);
    const Position i = position % most;
    if (i == 0) {
        if (position > 0) end_fibers();
        const auto groups = (unsigned)std::min<Position>(most, group_count - position);
        fibers_prepared = groups * fibers_of_group;
        prepare_fibers(fibers_prepared);
    }
    for (unsigned place = 0; place < group_size; place++)
        worker->blocks[place]->first_fiber = (unsigned)i * fibers_of_group + place * thread_count;
}

#endif

void run_group(Position position)
{
#if defined(GPUCNN_THREAD)
    allot_fibers(position);
#elif defined(GPUCNN_ADDRESS)
    free_kept_memory();
#endif
    if (launch.is_checked) begin_checked_group();
    for (unsigned place = 0; place < group_size; place++) {
        block = worker->blocks[place];
        block->rank = (unsigned)order_in_group.at(place);
        prepare_block(block_at(position, block->rank));
    }
    enter_block(0);
    switch_to(starting_fiber());
}

}  // namespace
}  // namespace gpucnn_simulator
