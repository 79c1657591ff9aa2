// A step of Lion.
//
// p = p - learning_rate * weight_decay * p
//       - learning_rate * sign(beta_1 * m + (1 - beta_1) * g), where sign(0) is 0
// m = beta_2 * m + (1 - beta_2) * g
//
// Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per element: 3 sizeof(REAL) read, 2 sizeof(REAL) written. Operations per element: 6
// multiplications, 4 additions and 2 comparisons.

#include "elements.cuh"

// 1, -1, or `x` itself where it is 0 or NaN.
__device__ __forceinline__ REAL sign(REAL x)
{
    return x > 0 ? (REAL)1 : x < 0 ? (REAL)-1 : x;
}

extern "C" __global__ void __launch_bounds__(THREADS) lion(
    REAL* __restrict__ parameters,
    const REAL* __restrict__ gradients,
    REAL* __restrict__ mean,
    const REAL* __restrict__ learning_rate,
    long long size,
    double beta_1,
    double beta_2,
    REAL weight_decay)
{
    const REAL rate = learning_rate[0];
    REAL p[ITEMS], g[ITEMS], m[ITEMS];
    EACH_ITEM(k)
    {
        p[k] = load(parameters, element(blockIdx.x, k), size);
        g[k] = load(gradients, element(blockIdx.x, k), size);
        m[k] = load(mean, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const REAL direction = (REAL)beta_1 * m[k] + (REAL)(1 - beta_1) * g[k];
        if (i < size) {
            mean[i] = (REAL)beta_2 * m[k] + (REAL)(1 - beta_2) * g[k];
            parameters[i] = p[k] - rate * weight_decay * p[k] - rate * sign(direction);
        }
    }
}
