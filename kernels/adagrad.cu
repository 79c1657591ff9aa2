// A step of Adagrad, in Keras's form.
//
// s = s + g^2
// p = p - learning_rate * weight_decay * p - learning_rate * g / sqrt(s + epsilon)
//
// Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
// optimization", JMLR 12, 2011.
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per element: 3 sizeof(REAL) read, 2 sizeof(REAL) written. Operations per element: 3
// multiplications, 4 additions, a square root and a division.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) adagrad(
    REAL* __restrict__ parameters,
    const REAL* __restrict__ gradients,
    REAL* __restrict__ square,
    const REAL* __restrict__ learning_rate,
    long long size,
    REAL epsilon,
    REAL weight_decay)
{
    const REAL rate = learning_rate[0];
    REAL p[ITEMS], g[ITEMS], s[ITEMS];
    EACH_ITEM(k)
    {
        p[k] = load(parameters, element(blockIdx.x, k), size);
        g[k] = load(gradients, element(blockIdx.x, k), size);
        s[k] = load(square, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const REAL new_square = s[k] + g[k] * g[k];
        if (i < size) {
            square[i] = new_square;
            const REAL change = rate * g[k] / sqrt(new_square + epsilon);
            parameters[i] = p[k] - rate * weight_decay * p[k] - change;
        }
    }
}
