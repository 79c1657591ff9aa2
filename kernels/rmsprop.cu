// A step of RMSprop with momentum, in Keras's form, or of its centred variant.
//
// s = rho * s + (1 - rho) * g^2
// v = momentum * v - learning_rate * g / sqrt(s + epsilon)
// p = p - learning_rate * weight_decay * p + v
// and where `mean` is given,
// m = rho * m + (1 - rho) * g
// v = momentum * v - learning_rate * g / sqrt(max(s - m^2, 0) + epsilon)
//
// Tieleman and Hinton, "Lecture 6.5 - rmsprop", 2012; Graves, "Generating sequences with recurrent
// neural networks", 2013, for the centred variant.
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per element: 4 sizeof(REAL) read, 3 sizeof(REAL) written; with a mean one more of each.
// Operations per element: 6 multiplications, 5 additions, a square root and a division; with a mean
// 3 multiplications, 2 additions and a comparison more.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) rmsprop(
    REAL* __restrict__ parameters,
    const REAL* __restrict__ gradients,
    REAL* __restrict__ square,
    REAL* __restrict__ velocity,
    REAL* __restrict__ mean,
    const REAL* __restrict__ learning_rate,
    long long size,
    double rho,
    REAL momentum,
    REAL epsilon,
    REAL weight_decay)
{
    const REAL rate = learning_rate[0];
    const REAL decay = (REAL)rho, rest = (REAL)(1 - rho);
    REAL p[ITEMS], g[ITEMS], s[ITEMS], v[ITEMS], m[ITEMS];
    EACH_ITEM(k)
    {
        p[k] = load(parameters, element(blockIdx.x, k), size);
        g[k] = load(gradients, element(blockIdx.x, k), size);
        s[k] = load(square, element(blockIdx.x, k), size);
        v[k] = load(velocity, element(blockIdx.x, k), size);
        m[k] = mean != nullptr ? load(mean, element(blockIdx.x, k), size) : (REAL)0;
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const REAL new_square = decay * s[k] + rest * (g[k] * g[k]);
        REAL spread = new_square;
        if (mean != nullptr) {
            const REAL new_mean = decay * m[k] + rest * g[k];
            const REAL variance = new_square - new_mean * new_mean;
            spread = variance < 0 ? (REAL)0 : variance;  // NaN stays NaN
            if (i < size) mean[i] = new_mean;
        }
        const REAL moved = momentum * v[k] - rate * g[k] / sqrt(spread + epsilon);
        if (i < size) {
            square[i] = new_square;
            velocity[i] = moved;
            parameters[i] = p[k] - rate * weight_decay * p[k] + moved;
        }
    }
}
