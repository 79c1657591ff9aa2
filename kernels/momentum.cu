// The velocity of Muon, and the direction of its step before that is made orthogonal.
//
// v = decay * v + g
// direction = v, or with Nesterov's rule g + decay * v
//
// Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per element: 2 sizeof(REAL) read, 2 sizeof(REAL) written. Operations per element: a
// multiplication and an addition; with Nesterov's rule one more of each.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) momentum(
    const REAL* __restrict__ gradients,
    REAL* __restrict__ velocity,
    REAL* __restrict__ direction,
    long long size,
    REAL decay,
    int nesterov)
{
    REAL g[ITEMS], v[ITEMS];
    EACH_ITEM(k)
    {
        g[k] = load(gradients, element(blockIdx.x, k), size);
        v[k] = load(velocity, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const REAL moved = decay * v[k] + g[k];
        if (i < size) {
            velocity[i] = moved;
            direction[i] = nesterov ? g[k] + decay * moved : moved;
        }
    }
}
