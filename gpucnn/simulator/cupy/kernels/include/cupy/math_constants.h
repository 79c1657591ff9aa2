// The constants that CuPy's kernels use are CUDA's.
#pragma once

#include <math_constants.h>
