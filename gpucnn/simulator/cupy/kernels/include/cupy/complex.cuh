// Complex numbers as CuPy's kernels have them.
#pragma once

#include <thrust/complex.h>

using thrust::complex;
