// What CUDA C offers without including anything, and with what a source may include.

#include <cmath>
#include <cstdint>
#include <math.h>

#include "thrice.cuh"

#ifndef FACTOR
#define FACTOR 2
#endif

#define KERNEL(name) extern "C" __global__ void __launch_bounds__(FACTOR * (4 + 4), 1) name

__constant__ float table[3] = {1, 2, 3};

template <typename T> __global__ void not_to_be_launched(T* x)
{
    *x = 1;
}

KERNEL(by_macros)(uint8_t* out)
{
    const char brace = '{', *text = "} __shared__ __global__ void text(";
    out[threadIdx.x] = thrice(threadIdx.x) + (brace == text[0]);
}

extern "C" __global__ void floats(const float* x, float* out)
{
    const float a = x[0], b = x[1];
    int k = 0;
    out[k++] = exp(a), out[k++] = expf(a), out[k++] = __expf(a), out[k++] = exp2(a);
    out[k++] = log(a), out[k++] = logf(a), out[k++] = log2(a), out[k++] = log10(a);
    out[k++] = sqrt(a), out[k++] = rsqrt(a), out[k++] = rsqrtf(a), out[k++] = cbrt(a);
    out[k++] = sin(a), out[k++] = cos(a), out[k++] = tanh(a), out[k++] = erf(a);
    out[k++] = floor(a), out[k++] = ceil(a), out[k++] = round(a), out[k++] = fabs(-a);
    out[k++] = pow(a, b), out[k++] = powf(a, b), out[k++] = fmod(a, b), out[k++] = atan2(a, b);
    out[k++] = fmax(a, b), out[k++] = fmin(a, b), out[k++] = fma(a, b, a), out[k++] = abs(-a);
    out[k++] = max(a, b), out[k++] = min(a, b), out[k++] = __fdividef(a, b), out[k++] = table[2];
    out[k++] = sizeof(exp(a)) + sizeof(pow(a, b)) + sizeof(sqrt(1)) + sizeof(pow(a, 1.0));
    out[k++] = isnan(a - a) + 2 * isinf(1 / (a - a)) + 4 * isfinite(a) + 8 * signbit(-a);
}

extern "C" __global__ void doubles(const double* x, double* out)
{
    const double a = x[0], b = x[1];
    int k = 0;
    out[k++] = exp(a), out[k++] = log(a), out[k++] = sqrt(a), out[k++] = rsqrt(a);
    out[k++] = pow(a, b), out[k++] = pow(a, 2), out[k++] = fmax(a, b), out[k++] = fma(a, b, a);
    out[k++] = min(a, b), out[k++] = max(a, b), out[k++] = abs(-a), out[k++] = tanh(a);
}

extern "C" __global__ void integers(long long* out)
{
    int k = 0;
    out[k++] = min(-1, 2), out[k++] = max(-1, 2), out[k++] = min(7LL, 2), out[k++] = max(-1, 2u);
    out[k++] = abs(-3), out[k++] = abs(-(1LL << 40)), out[k++] = warpSize;
    out[k++] = __umulhi(0xffffffffu, 3), out[k++] = __mulhi(-1, 3);
    out[k++] = __umul64hi(~0ull, 3), out[k++] = __mul64hi(-1, 3);
    out[k++] = __popc(0xf0f0), out[k++] = __popcll(~0ull);
    out[k++] = __clz(0), out[k++] = __clz(1), out[k++] = __clzll(1), out[k++] = __clz(-1);
    out[k++] = __ffs(0), out[k++] = __ffs(8), out[k++] = __ffsll(1LL << 40), out[k++] = __brev(1);
    out[k++] = __float_as_int(1), out[k++] = __int_as_float(0x40000000) == 2;
    out[k++] = __float_as_uint(-1), out[k++] = __uint_as_float(0x40000000u) == 2;
    out[k++] = __double_as_longlong(1), out[k++] = __longlong_as_double(0x4000000000000000) == 2;
    out[k++] = __ldg(out), out[k++] = __CUDA_ARCH__ >= 750;
}

extern "C" __global__ void vectors(
    const float4* in, float4* out, const double2* pair, uchar3* bytes)
{
    const float4 v = in[threadIdx.x];
    out[threadIdx.x] = make_float4(v.w, v.z, v.y, v.x + (float)pair->y);
    bytes[threadIdx.x] = make_uchar3(1, 2, 3);
    static_assert(sizeof(float3) == 12 && alignof(float3) == 4 && alignof(float4) == 16);
    static_assert(alignof(float2) == 8 && alignof(double2) == 16 && alignof(char4) == 4);
    static_assert(alignof(short4) == 8 && alignof(longlong2) == 16 && alignof(uint3) == 4);
}

extern "C" __global__ void atomics(
    int* i, unsigned* u, long long* l, unsigned long long* w, float* f, double* d)
{
    const int t = threadIdx.x;
    atomicAdd(&i[0], t), atomicSub(&i[1], t), atomicMin(&i[2], -t), atomicMax(&i[3], t);
    atomicAnd(&i[4], ~(1 << t)), atomicOr(&i[5], 1 << t), atomicXor(&i[6], 1 << t);
    if (atomicExch(&i[7], t) == 3) i[8] = t;
    if (atomicCAS(&i[9], 5, 7) == 5) atomicAdd(&i[9], 1);
    atomicAdd(&i[10], 0x7fffffff);
    atomicAdd(&u[0], t), atomicSub(&u[1], 1), atomicMin(&u[2], 3), atomicMax(&u[3], t);
    atomicInc(&u[4], 9), atomicDec(&u[5], 9), atomicAnd(&u[6], 6), atomicExch(&u[7], 8);
    atomicMin(&l[0], -(1LL << 40)), atomicMax(&l[1], 1LL << 40);
    atomicAdd(&w[0], 1ull << 40), atomicMax(&w[1], ~0ull), atomicCAS(&w[2], 0ull, 1ull << 50);
    atomicAdd(&f[0], 0.5f), atomicExch(&f[1], 2.0f);
    atomicAdd(&d[0], 0.5);
}

extern "C" __global__ void printing(int n)
{
    printf("thread %d of %d\n", (int)threadIdx.x, n);
}

struct Pair {
    int first;
    float second;
};

extern "C" __global__ void values(
    Pair pair, bool yes, unsigned char small, const Pair* pairs, const void* any, void** out)
{
    out[0] = (void*)(long long)(pair.first + pair.second + yes + small + pairs[1].second);
    out[1] = (void*)any;
}

extern "C" __global__ void parameters(
    const float* __restrict__ from,
    double* to,
    const float4* vectors,
    int count,
    unsigned long long size,
    long long offset,
    double factor,
    bool flag)
{
}
