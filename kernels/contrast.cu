// Images whose pixels differ more, or less, from the mean of their channel.
//
// out[image, p, c] = (x[image, p, c] - mean) * drawn[image, 0] / 2^16 + mean, at least low and at most
// high, where mean is that of x[image, :, c]; NaN stays.
//
// Index map: a block writes an image, channel by channel, of which thread t takes the pixels t, t +
// THREADS, ... The sum of a channel is that of its threads, see block_sums.cuh.
//
// Bytes per output: sizeof(REAL) read, and once more from cache, sizeof(REAL) written. Operations per
// output: 3 additions, a multiplication and 2 comparisons.

#include "block_sums.cuh"
#include "tones.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) contrast(
    const REAL* __restrict__ x,
    const int* __restrict__ drawn,
    REAL* __restrict__ out,
    int rows,
    int columns,
    int channels,
    REAL low,
    REAL high)
{
    __shared__ REAL sums[THREADS];
    const long long image = blockIdx.x;
    const REAL factor = share(drawn[2 * image]);
    const unsigned pixels = rows * columns, first = threadIdx.x;
    const REAL* from = x + image * pixels * channels;
    REAL* to = out + image * pixels * channels;
    for (unsigned c = 0; c < channels; c++) {
        REAL sum = 0;
        for (unsigned p = first; p < pixels; p += THREADS) sum += from[p * channels + c];
        sum_threads(sum, sums, 1);
        __syncthreads();
        const REAL mean = sums[0] / pixels;
        __syncthreads();  // before the next channel's sums
        for (unsigned p = first; p < pixels; p += THREADS)
            to[p * channels + c] = limited((from[p * channels + c] - mean) * factor + mean, low, high);
    }
}
