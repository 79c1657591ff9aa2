// CUDA C for a C++ compiler: everything that a kernel can use without an include.
//
// __global__, __device__, __constant__, __managed__, __shared__ and __launch_bounds__ are not defined
// here: source.py replaces them in the preprocessed text.
#pragma once

#include "atomics.hpp"
#include "host.hpp"
#include "listing.hpp"
#include "memory.hpp"
#include "numbers/bits.hpp"
#include "numbers/conversions.hpp"
#include "numbers/lanes.hpp"
#include "numbers/mathematics.hpp"
#include "numbers/rounding.hpp"
#include "numbers/special.hpp"
#include "../runtime/runtime.hpp"
#include "threads.hpp"
#include "textures.hpp"
#include "vectors.hpp"
#include "warps.hpp"

#define __CUDACC__ 1
#define __CUDACC_RTC__ 1
#define __CUDA_ARCH__ 900

#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0
#define CUDART_VERSION 13000

#define NULL __null
#define __host__
#define __maxnreg__(registers)
#define __builtin_assume(condition)
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) __attribute__((aligned(bytes)))

typedef decltype(sizeof(0)) size_t;
typedef decltype((char*)0 - (char*)0) ptrdiff_t;
typedef long clock_t;

using gpucnn_simulator::blockDim;
using gpucnn_simulator::blockIdx;
using gpucnn_simulator::gridDim;
using gpucnn_simulator::threadIdx;
static constexpr int warpSize = 32;

#define assert(condition)                                                                          \
    ((condition) ? (void)0                                                                         \
                 : gpucnn_simulator::fail(                                                         \
                       {"assert", __FILE__, __LINE__},                                             \
                       "failed: " #condition ": see what its numbers are there"))

// The source follows, of which alone source.py changes the text.
#pragma gpucnn source
