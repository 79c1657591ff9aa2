// Tiles of several warps.

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

namespace cg = cooperative_groups;

extern "C" __global__ void tiles(int* swapped, int* sums, int* shuffled, int* votes, int* places)
{
    __shared__ cg::block_tile_memory<256> memory;
    __shared__ int values[256];
    const cg::thread_block block = cg::this_thread_block(memory);
    const auto wide = cg::tiled_partition<128>(block);
    const cg::thread_block_tile<64> tile = cg::tiled_partition<64>(wide);
    const int i = block.thread_rank();
    for (int k = 0; k < 1 + i / 64; k++) {  // each tile as often as it needs
        values[i] = k * i;
        tile.sync();
    }
    swapped[i] = values[i ^ 31];
    sums[i] = cg::reduce(tile, i, cg::plus<int>());
    shuffled[i] = (int)wide.shfl(1.0 * i, 70);
    votes[i] = 2 * tile.any(i == 70) + tile.all(i < 100);
    const auto within = cg::tiled_partition<64>(wide);
    places[i] = 100 * tile.size() + 10 * within.meta_group_rank() + within.meta_group_size();
}

extern "C" __global__ void other_tile(int* x)
{
    __shared__ int values[128];
    const auto tile = cg::tiled_partition<64>(cg::this_thread_block());
    values[threadIdx.x] = threadIdx.x;  // written
    tile.sync();
    x[threadIdx.x] = values[threadIdx.x ^ 33];
    x[threadIdx.x] += values[threadIdx.x ^ 64];  // read
}

extern "C" __global__ void apart()
{
    const auto tile = cg::tiled_partition<64>(cg::this_thread_block());
    if (threadIdx.x % 64 < 3)
        tile.sync();  // some
    else
        tile.sync();  // others
}
