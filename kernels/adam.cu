// A step of Adam, or of AdamW where weight_decay is not 0, in Keras's form.
//
// m = beta_1 * m + (1 - beta_1) * g
// s = beta_2 * s + (1 - beta_2) * g^2
// p = p - learning_rate * weight_decay * p
//       - learning_rate * bias_correction * m / (sqrt(s) + epsilon)
// where bias_correction is sqrt(1 - beta_2^t) / (1 - beta_1^t) in step t, which the host computes.
//
// Kingma and Ba, "Adam", ICLR 2015 (the form at the end of its section 2); Loshchilov and Hutter,
// "Decoupled weight decay regularization", ICLR 2019.
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per element: 4 sizeof(REAL) read, 3 sizeof(REAL) written. Operations per element: 7
// multiplications, 5 additions, a square root and a division.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) adam(
    REAL* __restrict__ parameters,
    const REAL* __restrict__ gradients,
    REAL* __restrict__ mean,
    REAL* __restrict__ square,
    const REAL* __restrict__ learning_rate,
    const REAL* __restrict__ bias_correction,
    long long size,
    double beta_1,
    double beta_2,
    REAL epsilon,
    REAL weight_decay)
{
    const REAL rate = learning_rate[0];
    const REAL corrected_rate = rate * bias_correction[0];
    REAL p[ITEMS], g[ITEMS], m[ITEMS], s[ITEMS];
    EACH_ITEM(k)
    {
        p[k] = load(parameters, element(blockIdx.x, k), size);
        g[k] = load(gradients, element(blockIdx.x, k), size);
        m[k] = load(mean, element(blockIdx.x, k), size);
        s[k] = load(square, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const REAL new_mean = (REAL)beta_1 * m[k] + (REAL)(1 - beta_1) * g[k];
        const REAL new_square = (REAL)beta_2 * s[k] + (REAL)(1 - beta_2) * (g[k] * g[k]);
        const REAL change = corrected_rate * new_mean / (sqrt(new_square) + epsilon);
        if (i < size) {
            mean[i] = new_mean;
            square[i] = new_square;
            parameters[i] = p[k] - rate * weight_decay * p[k] - change;
        }
    }
}
