// The exponential moving average of the parameters, which may then overwrite them.
//
// average = (1 - share) * average + share * p
// p = average, if `overwrites` is not 0
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per element: 2 sizeof(REAL) read, sizeof(REAL) written; where the parameters are overwritten
// one more of these. Operations per element: 2 multiplications and an addition.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) average_parameters(
    REAL* __restrict__ parameters,
    REAL* __restrict__ average,
    const REAL* __restrict__ share,
    const REAL* __restrict__ overwrites,
    long long size)
{
    const REAL new_share = share[0], old_share = 1 - new_share;
    const bool is_overwritten = overwrites[0] != 0;
    REAL p[ITEMS], a[ITEMS];
    EACH_ITEM(k)
    {
        p[k] = load(parameters, element(blockIdx.x, k), size);
        a[k] = load(average, element(blockIdx.x, k), size);
    }
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const REAL moved = old_share * a[k] + new_share * p[k];
        if (i < size) {
            average[i] = moved;
            if (is_overwritten) parameters[i] = moved;
        }
    }
}
