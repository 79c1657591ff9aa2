// The atomic operations that CuPy adds for old devices are there without it.
#pragma once

#include <cuda_fp16.h>
