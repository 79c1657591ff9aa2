// Images made lighter or darker, within the range of pixels.
//
// out[image, e] = x[image, e] + drawn[image, 0] / 2^16 * (high - low), at least low and at most high;
// NaN stays.
//
// Index map: block (image, part) writes a part of an image, shared out among its threads as in
// elements.cuh.
//
// Bytes per output: sizeof(REAL) read, sizeof(REAL) written. Operations per output: an addition and
// 2 comparisons.

#include "elements.cuh"
#include "tones.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) brighten(
    const REAL* __restrict__ x,
    const int* __restrict__ drawn,
    REAL* __restrict__ out,
    int rows,
    int columns,
    int channels,
    REAL low,
    REAL high)
{
    const long long image = blockIdx.x;
    const REAL added = share(drawn[2 * image]) * (high - low);
    const unsigned size = rows * columns * channels;
    REAL values[ITEMS];
    EACH_ITEM(k) values[k] = load(x + image * size, element(blockIdx.y, k), size);
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        if (e < size) out[image * size + e] = limited(values[k] + added, low, high);
    }
}
