// A step of gradient descent with momentum, in Keras's form.
//
// v = momentum * v - learning_rate * g
// p = p - learning_rate * weight_decay * p + v, or with Nesterov's rule
// p = p - learning_rate * weight_decay * p + momentum * v - learning_rate * g
// Without a velocity, v is 0 before the step, and not kept.
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per element: 3 sizeof(REAL) read, 2 sizeof(REAL) written; without a velocity one of each
// less. Operations per element: 3 multiplications and 3 additions; with Nesterov's rule one more of
// each.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) sgd(
    REAL* __restrict__ parameters,
    const REAL* __restrict__ gradients,
    REAL* __restrict__ velocity,
    const REAL* __restrict__ learning_rate,
    long long size,
    REAL momentum,
    int nesterov,
    REAL weight_decay)
{
    const REAL rate = learning_rate[0];
    REAL p[ITEMS], g[ITEMS], v[ITEMS];
    EACH_ITEM(k)
    {
        p[k] = load(parameters, element(blockIdx.x, k), size);
        g[k] = load(gradients, element(blockIdx.x, k), size);
        v[k] = velocity != nullptr ? load(velocity, element(blockIdx.x, k), size) : (REAL)0;
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const REAL moved = momentum * v[k] - rate * g[k];
        const REAL change = nesterov ? momentum * moved - rate * g[k] : moved;
        if (i < size) {
            if (velocity != nullptr) velocity[i] = moved;
            parameters[i] = p[k] - rate * weight_decay * p[k] + change;
        }
    }
}
