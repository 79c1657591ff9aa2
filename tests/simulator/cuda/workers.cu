// Kernels whose blocks run at once.

// A number that takes a while; the later a block, the less.
__device__ float worked(int n)
{
    float x = threadIdx.x;
    for (int i = n / (1 + blockIdx.x % 5); i > 0; i--) x = x * 0.999f + 1;
    return x;
}

// Two blocks wait for each other, which takes seconds if they do not run at once.
extern "C" __global__ void meet(volatile int* arrived, int* met, float* x, int n)
{
    x[blockIdx.x * blockDim.x + threadIdx.x] = worked(n);
    __syncthreads();
    if (threadIdx.x > 0) return;
    arrived[blockIdx.x] = 1;
    for (long i = 0; i < 3000000000 && !arrived[1 - blockIdx.x]; i++) {}
    met[blockIdx.x] = arrived[1 - blockIdx.x];
}

// What depends on the order of blocks: which takes a ticket, a sum that is rounded, who is the last.
extern "C" __global__ void in_turn(int* next, int* at, float* sum, float* last, float* x, int n)
{
    __shared__ float of_block;
    if (threadIdx.x == 0) of_block = 0;
    __syncthreads();
    atomicAdd(&of_block, worked(n));
    __syncthreads();
    x[blockIdx.x] = of_block;
    const int ticket = atomicAdd(next, 1);
    at[ticket] = blockIdx.x * blockDim.x + threadIdx.x;
    atomicAdd(sum, 1.0f / (1 + at[ticket]));
    if (ticket == gridDim.x * blockDim.x - 1)
        for (int i = 0; i < gridDim.x; i++) *last += x[i];
}

extern "C" __global__ void trap_in(int first, int step, float* x, int n)
{
    x[blockIdx.x] = worked(n);
    if (blockIdx.x >= first && (blockIdx.x - first) % step == 0) __trap();
}

// The blocks after the fifth come to their turn before it fails.
extern "C" __global__ void fail_before_turns(int* count, float* x, int n)
{
    x[blockIdx.x] = worked(n);
    if (blockIdx.x == 5) __trap();
    atomicAdd(count, 1);
}

// The blocks fail at about the same time: the first after n steps, and the others after `later`.
extern "C" __global__ void fail_at_once(int* null, volatile float* x, int n, int later)
{
    for (int i = 0; i < (blockIdx.x ? later : n); i++) x[32 * blockIdx.x] = i;
    if (threadIdx.x == 31) *null = 1;
}

// The blocks after the one that fails wait for ever.
extern "C" __global__ void trap_before_spinning(volatile float* x, int n)
{
    x[2 + blockIdx.x] = worked(n);
    if (blockIdx.x == 7 && threadIdx.x == 31) __trap();
    while (blockIdx.x > 7 && x[0] == 0) {}
}

extern "C" __global__ void spin(volatile int* x, float* y, int n)
{
    y[blockIdx.x * blockDim.x + threadIdx.x] = worked(n);
    __syncthreads();
    if (threadIdx.x > 0) return;
    x[blockIdx.x] = 1;
    while (x[gridDim.x] == 0) {}
}

extern "C" __global__ void say(float* x, int n)
{
    x[blockIdx.x] = worked(n);
    printf("%d %d\n", blockIdx.x, threadIdx.x);
}
