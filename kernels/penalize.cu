// The penalty on weights, and its gradient.
//
// gradients[i] = gradients[i] + 2 * factors[i] * parameters[i]
// penalties[position[0]] = sum of factors[i] * parameters[i]^2 over i
//
// Index map: a block works on the parts blockIdx.x, blockIdx.x + gridDim.x, ... of THREADS * ITEMS
// consecutive elements, see elements.cuh; its threads add up their terms in shared memory, in halves.
// Each block writes its sum to `slabs`, and the last one to finish adds these up in the same way: in
// an order that depends on the size alone.
//
// Bytes per element: 3 sizeof(REAL) read, sizeof(REAL) written. Operations per element: three
// multiplications and two additions.

#include "block_sums.cuh"
#include "elements.cuh"
#include "last_block.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) penalize(
    const REAL* __restrict__ parameters,
    const REAL* __restrict__ factors,
    REAL* __restrict__ gradients,
    const long long* __restrict__ position,
    REAL* __restrict__ penalties,
    REAL* slabs,
    unsigned* tickets,
    long long size)
{
    __shared__ REAL sums[THREADS];
    REAL sum = 0;
    for (long long part = blockIdx.x; part * (THREADS * ITEMS) < size; part += gridDim.x) {
        REAL weights[ITEMS], scaled[ITEMS], before[ITEMS];
        EACH_ITEM(k)
        {
            const long long i = element(part, k);
            weights[k] = load(parameters, i, size);
            scaled[k] = load(factors, i, size) * weights[k];
            before[k] = load(gradients, i, size);
        }
        EACH_ITEM(k)
        {
            const long long i = element(part, k);
            if (i < size) gradients[i] = before[k] + 2 * scaled[k];
            sum += scaled[k] * weights[k];
        }
    }
    sum_threads(sum, sums, 1);
    if (threadIdx.x == 0) slabs[blockIdx.x] = sums[0];
    if (!is_last_block(tickets, gridDim.x)) return;
    sum = 0;
    for (int block = threadIdx.x; block < gridDim.x; block += THREADS) sum += slabs[block];
    sum_threads(sum, sums, 1);
    if (threadIdx.x == 0) penalties[position[0]] = sums[0];
}
