// One kernel without a fault, and others with one, which a sanitizer finds.

#include <cooperative_groups.h>

#define ALL 0xffffffffu

__device__ unsigned ended;

extern "C" __global__ void correct(const float* x, float* y, float* sum, int* count)
{
    __shared__ float values[64];
    extern __shared__ float others[];
    const int t = threadIdx.x;
    values[t] = x[t];
    others[t] = 1;
    __syncthreads();
    float value = values[63 - t] * others[63 - t];
    for (int k = 16; k > 0; k /= 2) value += __shfl_xor_sync(ALL, value, k);
    __syncthreads();
    values[t] = value;
    __syncwarp();
    y[blockIdx.x * 64 + t] = values[t ^ 1];
    atomicAdd(count, 1);
}

extern "C" __global__ void last_block(float* parts, float* sum)
{
    extern __shared__ int last[];
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = 1;
        __threadfence();
        last[0] = atomicInc(&ended, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (last[0] && threadIdx.x == 0)
        for (unsigned i = 0; i < gridDim.x; i++) *sum += parts[i];
}

// Memory ------------------------------------------------------------------------------------------

extern "C" __global__ void beyond_array(float* x)
{
    x[threadIdx.x] = 1;  // array
}

// Not inline: where the size of the array is known, the undefined behaviour sanitizer is first.
__device__ __noinline__ void put(float* place, float value)
{
    *place = value;  // static
}

extern "C" __global__ void beyond_static(float* x, int shift)
{
    __shared__ float values[32], next[32];
    put(values + threadIdx.x + shift, next[threadIdx.x]);
    x[threadIdx.x] = values[threadIdx.x];
}

extern "C" __global__ void beyond_dynamic(float* x, int shift)
{
    extern __shared__ float values[];
    values[(int)threadIdx.x + shift] = 1;  // dynamic
    x[threadIdx.x] = values[threadIdx.x];
}

extern "C" __global__ void overflowing(int* x, int n)
{
    x[threadIdx.x] = n * 2;  // overflow
}

extern "C" __global__ void misaligned(float* x)
{
    *(float4*)(x + 1) = make_float4(1, 2, 3, 4);  // misaligned
}

// Races -------------------------------------------------------------------------------------------

extern "C" __global__ void missing_barrier(float* x)
{
    __shared__ float values[32];
    for (int i = 0; i < 2; i++) {
        values[threadIdx.x] = i;
        __syncthreads();
        x[threadIdx.x] = values[31 - threadIdx.x];  // read too late
    }
}

extern "C" __global__ void shuffle_for_a_barrier(float* x)
{
    extern __shared__ float values[];
    values[threadIdx.x] = 1;
    __shfl_xor_sync(ALL, 1, 1);
    x[threadIdx.x] = values[threadIdx.x ^ 1];  // not waited for
}

extern "C" __global__ void vote_for_a_barrier(float* x)
{
    extern __shared__ float values[];
    values[threadIdx.x] = 1;
    __any_sync(ALL, 1);
    x[threadIdx.x] = values[threadIdx.x ^ 1];  // not waited for either
}

extern "C" __global__ void one_element(float* x)
{
    if (threadIdx.x == 0) x[0] = blockIdx.x;  // by each block
}

extern "C" __global__ void rotate(float* x, float* y)
{
    const cooperative_groups::grid_group grid = cooperative_groups::this_grid();
    const unsigned i = grid.thread_rank();
    for (int k = 0; k < 2; k++) {
        y[i] = x[i];
        grid.sync();
        x[i] = y[(i + 1) % grid.size()];
        grid.sync();
    }
}
