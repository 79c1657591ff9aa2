// Kernels whose accesses to memory are known.

extern "C" __global__ void copy(const float* x, float* out, long long n)
{
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}

struct __align__(16) Vector {
    float of[4];
};
struct Three {
    float x, y, z;
};
struct __align__(16) Large {
    float of[20];
};

// A thread copies an element.
#define COPY(name, type)                                                                           \
    extern "C" __global__ void copy_##name(const void* x, void* out)                               \
    {                                                                                              \
        const int i = blockIdx.x * blockDim.x + threadIdx.x;                                       \
        ((type*)out)[i] = ((const type*)x)[i];                                                     \
    }
COPY(bytes, unsigned char)
COPY(shorts, short)
COPY(doubles, double)
COPY(vectors, float4)
COPY(aligned, Vector)
COPY(two_doubles, double2)
COPY(threes, Three)
COPY(large, Large)

extern "C" __global__ void count_up(unsigned* counter, float* sum, unsigned long long* least)
{
    atomicAdd(counter, 1u);
    atomicAdd(sum, 0.5f);
    atomicMin(least, (unsigned long long)threadIdx.x);
}

// Each element is read before it is written but the first, which is written first.
extern "C" __global__ void in_place(float* x)
{
    if (threadIdx.x == 0) x[0] = 1;
    __syncthreads();
    x[threadIdx.x] = 2 * x[threadIdx.x];
}

// The threads read each other's numbers, from arrays that are not arguments: none of them counts.
__device__ float elsewhere[32];
extern "C" __global__ void apart(float* out)
{
    volatile float own[2];
    own[threadIdx.x % 2] = threadIdx.x;
    elsewhere[threadIdx.x] = own[threadIdx.x % 2];
    __syncthreads();
    const float other = elsewhere[31 - threadIdx.x];
    if (threadIdx.x == 0) *out = other;
}

__shared__ float of_all[32];
extern "C" __global__ void shared(float* out)
{
    __shared__ double own[32];
    extern __shared__ float4 dynamic[];
    own[threadIdx.x] = threadIdx.x;
    __syncthreads();
    of_all[threadIdx.x] = (float)own[31 - threadIdx.x];
    __syncthreads();
    const float value = of_all[threadIdx.x];
    dynamic[threadIdx.x] = {value, value, value, value};
    __syncthreads();
    const float4 values = dynamic[31 - threadIdx.x];
    out[threadIdx.x] = values.w;
}

extern "C" __global__ void stuck(float* x)
{
    x[threadIdx.x] = 0;
    if (threadIdx.x == 0)
        __syncthreads();
    else
        __syncthreads();
}
