// Blocks that live at once.

#include <cooperative_groups.h>

namespace cg = cooperative_groups;

// Moves all elements by `n` places: each block writes what others have read.
extern "C" __global__ void rotate(int* x, int* y, int n)
{
    const cg::grid_group grid = cg::this_grid();
    const unsigned i = grid.thread_rank();
    __shared__ int ranks[64];
    ranks[threadIdx.x] = i;
    for (int k = 0; k < n; k++) {
        y[i] = x[i];
        grid.sync();
        x[i] = y[(i + 1) % grid.size()];
        grid.sync();
    }
    const unsigned other = blockDim.x - 1 - threadIdx.x;
    if (ranks[other] != i - threadIdx.x + other) __trap();
}

extern "C" __global__ void race_in_a_phase(int* x, int* y)
{
    const cg::grid_group grid = cg::this_grid();
    const unsigned i = grid.thread_rank();
    y[i] = x[i];
    grid.sync();
    const int next = x[(i + blockDim.x) % grid.size()];  // read
    __syncthreads();
    x[i] = y[i] + next;  // race
}

// A thread that has returned is not waited for, but the first of a block.
extern "C" __global__ void early_return(int block, int thread)
{
    if (blockIdx.x == block && threadIdx.x == thread) return;
    cg::this_grid().sync();  // for all
}

extern "C" __global__ void apart()
{
    if (blockIdx.x == 1)
        cg::this_grid().sync();  // one
    else
        cg::this_grid().sync();  // other
}

extern "C" __global__ void uncooperative(int* valid)
{
    *valid = cg::this_grid().is_valid();
    if (*valid) cg::this_grid().sync();
}

extern "C" __global__ void unwritten(int* x)
{
    __shared__ int values[64];
    if (blockIdx.x == 0) values[threadIdx.x] = 1;
    cg::this_grid().sync();
    x[threadIdx.x] = values[threadIdx.x];  // unwritten
}

// Each block of a cluster reads what the next one has in shared memory, which it uses in another order.
extern "C" __global__ void __cluster_dims__(2, 2) neighbours(const int* x, int* out)
{
    __shared__ int own[32];
    extern __shared__ int dynamic[];
    __shared__ int number;
    const auto cluster = cg::this_cluster();
    const unsigned rank = cluster.block_rank(), next = (rank + 1) % cluster.num_blocks();
    const int i = (blockIdx.y * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x;
    if (rank % 2) dynamic[threadIdx.x] = rank;
    own[threadIdx.x] = x[i];
    dynamic[threadIdx.x] = rank;
    if (threadIdx.x == 0) number = 0;
    cluster.sync();
    atomicAdd(cluster.map_shared_rank(&number, 0), 1);
    out[i] = 10 * cluster.map_shared_rank(own, next)[threadIdx.x] +
             cluster.map_shared_rank(dynamic, next)[threadIdx.x];
    cluster.sync();
    if (rank == 0 && number != cluster.num_threads()) __trap();
}

extern "C" __global__ void __cluster_dims__(2) too_early(int* x)
{
    __shared__ int own[32];
    const auto cluster = cg::this_cluster();
    own[threadIdx.x] = 1;
    x[threadIdx.x] = cluster.map_shared_rank(own, 1 - cluster.block_rank())[threadIdx.x];  // early
    cluster.sync();
}

extern "C" __global__ void __cluster_dims__(2) too_late(int* x)
{
    __shared__ int own[32];
    const auto cluster = cg::this_cluster();
    own[threadIdx.x] = 1;
    cluster.sync();
    atomicAdd(x, cluster.map_shared_rank(own, 1 - cluster.block_rank())[threadIdx.x]);  // late
}

extern "C" __global__ void __cluster_dims__(2) among_clusters(int* x)
{
    x[blockIdx.x] = 1;  // written
    cg::this_cluster().sync();
    if (threadIdx.x == 0) x[blockIdx.x ^ 1] += 1;
    cg::this_cluster().sync();
    if (threadIdx.x == 0) x[blockIdx.x ^ 2] += 1;  // of another
}
