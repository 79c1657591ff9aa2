// Running the blocks of a launch, one after another.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "order.hpp"
#include "shared.hpp"
#include "threads.hpp"

namespace gpucnn_simulator {
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
        block->thread_order[i] = i;
    }
    if (launch.order == REVERSED) put_in_order(block->thread_order, thread_count);
    blockDim = {launch.block[0], launch.block[1], launch.block[2]};
    gridDim = {launch.grid[0], launch.grid[1], launch.grid[2]};
}

void prepare_block(unsigned long long number)
{
    const unsigned long long row = number / launch.grid[0];
    blockIdx = {
        (unsigned)(number % launch.grid[0]), (unsigned)(row % launch.grid[1]),
        (unsigned)(row / launch.grid[1])};
    if (launch.order == SHUFFLED) put_in_order(block->thread_order, thread_count);
    for (unsigned warp = 0; warp * WARP < thread_count; warp++) {
        const unsigned lanes = thread_count - warp * WARP;
        block->warps[warp] = {lanes < WARP ? ~0u << lanes : 0u, 0};
    }
    block->next_in_order = block->ready_count = 0;
    block->true_predicates = 0;
    block->live = thread_count;
    if (launch.is_checked) begin_checked_block();
}

void run_block(unsigned long long number)
{
    prepare_block(number);
    dynamic_shared = begin_block_of_shared_memories(launch.dynamic_shared);
#if defined(GPUCNN_THREAD)
    synchronise_with_host(block->first_fiber, thread_count);
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
    for (unsigned long long i = 0; i < launch.block_count && worker->outcome == DONE; i += most) {
        const unsigned long long left = launch.block_count - i;
        const unsigned count = (unsigned)(left < most ? left : most);
        prepare_fibers(count * thread_count);
        for (unsigned j = 0; j < count && worker->outcome == DONE; j++) {
            block->first_fiber = j * thread_count;
            run_block(block_at(order, i + j));
        }
        end_fibers(count * thread_count);
    }
#else
    for (unsigned long long i = 0; i < launch.block_count && worker->outcome == DONE; i++)
        run_block(block_at(order, i));
#endif
}

}  // namespace
}  // namespace gpucnn_simulator
