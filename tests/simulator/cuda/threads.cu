// Threads that wait for each other.

#define ALL 0xffffffffu

extern "C" __global__ void indices(int* out)
{
    const int thread =
        threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * (int)threadIdx.z);
    const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * (int)blockIdx.z);
    int* mine = out + 6 * (block * blockDim.x * blockDim.y * blockDim.z + thread);
    const uint3 t = threadIdx, b = blockIdx;
    mine[0] = t.x, mine[1] = t.y, mine[2] = t.z, mine[3] = b.x, mine[4] = b.y, mine[5] = b.z;
}

// The order in which threads come by, before and after a barrier.
extern "C" __global__ void order(int* next, int* before, int* after)
{
    const int thread = blockIdx.x * blockDim.x + threadIdx.x;
    before[atomicAdd(&next[0], 1)] = thread;
    __syncthreads();
    after[atomicAdd(&next[1], 1)] = thread;
}

extern "C" __global__ void reverse(float* x)
{
    extern __shared__ float values[];
    const int t = threadIdx.x, last = blockDim.x - 1;
    for (int i = 0; i < 3; i++) {
        values[t] = x[blockIdx.x * blockDim.x + t];
        __syncthreads();
        x[blockIdx.x * blockDim.x + t] = values[last - t];
        __syncthreads();
    }
}

extern "C" __global__ void reverse_without_barrier(float* x)
{
    __shared__ float values[64];
    values[threadIdx.x] = x[threadIdx.x];
    x[threadIdx.x] = values[63 - threadIdx.x];
}

template <int SIZE, typename T> __device__ T total(T value)
{
    __shared__ T values[SIZE];
    values[threadIdx.x] = value;
    __syncthreads();
    T sum = 0;
    for (int i = 0; i < SIZE; i++) sum += values[i];
    __syncthreads();
    return sum;
}

extern "C" __global__ void totals(const float* x, float* reals, int* integers)
{
    reals[threadIdx.x] = total<48>(x[threadIdx.x]);
    integers[threadIdx.x] = total<48>((int)threadIdx.x);
}

__shared__ float of_the_file[32];
extern __shared__ __align__(16) unsigned char raw_of_the_file[];

extern "C" __global__ void unwritten(float* reals, int* integers, unsigned* dynamic)
{
    __shared__ int values[32];
    reals[threadIdx.x] = of_the_file[threadIdx.x];
    integers[threadIdx.x] = values[threadIdx.x];
    dynamic[threadIdx.x] = ((unsigned*)raw_of_the_file)[threadIdx.x];
    of_the_file[threadIdx.x] = 1;
    values[threadIdx.x] = 1;
    ((unsigned*)raw_of_the_file)[threadIdx.x] = 1;
}

extern "C" __global__ void block_votes(const int* predicates, int* out)
{
    const int predicate = predicates[threadIdx.x];
    out[3 * threadIdx.x] = __syncthreads_count(predicate);
    out[3 * threadIdx.x + 1] = __syncthreads_and(predicate);
    out[3 * threadIdx.x + 2] = __syncthreads_or(predicate);
}

extern "C" __global__ void warp_votes(const int* predicates, unsigned* out)
{
    const int predicate = predicates[threadIdx.x];
    out[3 * threadIdx.x] = __ballot_sync(ALL, predicate);
    out[3 * threadIdx.x + 1] = __all_sync(ALL, predicate);
    out[3 * threadIdx.x + 2] = __any_sync(ALL, predicate);
}

extern "C" __global__ void shuffles(int* out, int argument, int width)
{
    const int t = threadIdx.x;
    out[4 * t] = __shfl_sync(ALL, t, argument, width);
    out[4 * t + 1] = __shfl_up_sync(ALL, t, argument, width);
    out[4 * t + 2] = __shfl_down_sync(ALL, t, argument, width);
    out[4 * t + 3] = __shfl_xor_sync(ALL, t, argument, width);
}

extern "C" __global__ void shuffled_types(
    float* reals, double* doubles, unsigned long long* wide, signed char* small)
{
    const int t = threadIdx.x;
    reals[t] = __shfl_xor_sync(ALL, reals[t], 1);
    doubles[t] = __shfl_xor_sync(ALL, doubles[t], 1);
    wide[t] = __shfl_xor_sync(ALL, wide[t], 1);
    small[t] = __shfl_xor_sync(ALL, small[t], 1);
}

// Halves of a warp that do different things; the upper one has lanes that have returned.
extern "C" __global__ void halves(int* out)
{
    const int t = threadIdx.x;
    if (t >= 24) return;
    if (t < 16) {
        out[t] = __shfl_xor_sync(0x0000ffffu, t, 8);
    } else {
        __syncwarp(0xffff0000u);
        out[t] = __ballot_sync(0xffff0000u, t % 2) >> 16;
    }
    __syncwarp();
}

// The last block to end adds up what all have written.
__device__ unsigned ended;

extern "C" __global__ void last_block(float* parts, float* sum)
{
    __shared__ bool last;
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = blockIdx.x + 1;
        __threadfence();
        last = atomicInc(&ended, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    *sum = 0;
    for (unsigned i = 0; i < gridDim.x; i++) *sum += parts[i];
}

extern "C" __global__ void far(signed char* x, long long size)
{
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < size) x[i] = 7;
}

// What is not allowed -----------------------------------------------------------------------------

extern "C" __global__ void barrier_after_return(int* out)
{
    __shared__ int values[64];
    const int i = threadIdx.x;
    if (i % 3 == 0) return;
    values[i] = i;
    out[64] = __syncthreads_count(i % 2 == 0);
    out[i] = values[i % 3 == 1 ? i + 1 : i - 1];
}

extern "C" __global__ void barriers_apart()
{
    if (threadIdx.x < 32)
        __syncthreads();  // one
    else
        __syncthreads();  // other
}

extern "C" __global__ void barrier_and_shuffle(int* out)
{
    if (threadIdx.x == 5) __syncthreads();  // barrier
    out[threadIdx.x] = __shfl_xor_sync(ALL, 1, 1);  // shuffle
}

extern "C" __global__ void masks_apart()
{
    __syncwarp(threadIdx.x == 0 ? ALL : 0x7fffffffu);  // masks
}

extern "C" __global__ void outside_of_mask()
{
    __syncwarp(0x0000fffeu);  // outside
}

extern "C" __global__ void from_no_part(int* out)
{
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 20);  // no part
}

extern "C" __global__ void from_nobody(int* out)
{
    out[threadIdx.x] = __shfl_xor_sync(ALL, 1, 16);  // nobody
}

extern "C" __global__ void odd_width(int* out)
{
    out[threadIdx.x] = __shfl_sync(ALL, 1, 0, 12);  // width
}

extern "C" __global__ void asserting(int n)
{
    assert(threadIdx.x < n && "of course");  // assertion
}

extern "C" __global__ void trapping()
{
    if (blockIdx.y == 1 && threadIdx.x == 2) __trap();  // trap
}

#define SYNC_BY_HALVES if (threadIdx.x < 32) __syncthreads(); else __syncthreads()
extern "C" __global__ void barriers_on_one_line()
{
    SYNC_BY_HALVES;  // halves
}
