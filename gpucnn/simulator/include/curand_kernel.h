// CUDA's generators of random numbers for kernels: XORWOW, which is curandState, and Philox.
#pragma once

#include "../language/random/distributions.hpp"
