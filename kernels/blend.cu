// Weighted means of images and others.
//
// out[image, e] = weight * x[image, e] + (1 - weight) * others[image, e], the weight being
// weights[drawn[image, 0]] / 2^16; shares[0, image] = weight, and shares[1, image] = 1 - weight.
//
// Index map: block (image, part) writes a part of an image, shared out among its threads as in
// elements.cuh; the first part also writes the shares.
//
// Bytes per output: 2 sizeof(REAL) read, sizeof(REAL) written. Operations per output: 2 products and
// a sum.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) blend(
    const REAL* __restrict__ x,
    const REAL* __restrict__ others,
    const int* __restrict__ drawn,
    const int* __restrict__ weights,
    REAL* __restrict__ out,
    REAL* __restrict__ shares,
    int rows,
    int columns,
    int channels,
    long long images)
{
    const long long image = blockIdx.x;
    const REAL weight = (REAL)weights[drawn[2 * image]] / (1 << 16);
    const unsigned size = rows * columns * channels;
    if (blockIdx.y == 0 && threadIdx.x == 0) {
        shares[image] = weight;
        shares[images + image] = 1 - weight;
    }
    REAL mine[ITEMS], other[ITEMS];
    EACH_ITEM(k)
    {
        mine[k] = load(x + image * size, element(blockIdx.y, k), size);
        other[k] = load(others + image * size, element(blockIdx.y, k), size);
    }
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        if (e < size) out[image * size + e] = weight * mine[k] + (1 - weight) * other[k];
    }
}
