// CuPy's numbers of 16 bits are CUDA's.
#pragma once

#include <cuda_fp16.h>

typedef __half float16;

inline __device__ bool isnan(float16 x) { return isnan((float)x); }
inline __device__ bool isinf(float16 x) { return isinf((float)x); }
inline __device__ bool isfinite(float16 x) { return isfinite((float)x); }
inline __device__ bool signbit(float16 x) { return signbit((float)x); }
