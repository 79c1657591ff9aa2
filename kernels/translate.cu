// Images moved down and to the right by parts of a pixel, by bilinear interpolation.
//
// out[image, row, column, channel] = sum over i, j in {0, 1} of weight_i * weight_j *
//     x[image, row - whole_y - i, column - whole_x - j, channel]
// for the shift whole_y + part_y, the first of the image, down, and likewise the second, to the
// right; the parts in [0, 1), weight_0 = 1 - part and weight_1 = part. Pixels outside of the image
// are those that `fill_mode` tells, see `within`. Shifts are in units of 2^-16 of a pixel, so that
// the weights are exact.
//
// Index map: block (image, part) writes a part of an image, shared out among its threads as in
// elements.cuh.
//
// Bytes per output: 4 sizeof(REAL) read, of which neighbours share most, sizeof(REAL) written.
// Operations per output: 4 multiply-adds.

#include "elements.cuh"

#define SHIFT_BITS 16  // of the part of a shift

// Fill modes, as FILL_MODES of gpucnn/backends/ops/resampling.py numbers them; 3 is to wrap around.
#define CONSTANT 0
#define NEAREST 1
#define REFLECT 2

// The pixel of the image that stands at a place along an axis; -1 for the fill value.
__device__ __forceinline__ int within(int place, int size, int fill_mode)
{
    if (fill_mode == CONSTANT) return place >= 0 && place < size ? place : -1;
    if (fill_mode == NEAREST) return min(max(place, 0), size - 1);
    const int period = fill_mode == REFLECT ? 2 * size : size;
    const int folded = (place % period + period) % period;
    return folded < size ? folded : period - 1 - folded;
}

extern "C" __global__ void __launch_bounds__(THREADS) translate(
    const REAL* __restrict__ x,
    const int* __restrict__ shifts,
    REAL* __restrict__ out,
    int rows,
    int columns,
    int channels,
    int fill_mode,
    REAL fill_value)
{
    const long long image = blockIdx.x;
    const int down = shifts[2 * image], right = shifts[2 * image + 1];
    const REAL part_y = (REAL)(down & ((1 << SHIFT_BITS) - 1)) / (1 << SHIFT_BITS);
    const REAL part_x = (REAL)(right & ((1 << SHIFT_BITS) - 1)) / (1 << SHIFT_BITS);
    const unsigned line = columns * channels, size = rows * line;
    const REAL* pixels = x + image * size;
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        if (e >= size) continue;
        const int y = (int)(e / line) - (down >> SHIFT_BITS);
        const int place = (int)(e % line / channels) - (right >> SHIFT_BITS);
        const unsigned channel = e % channels;
        REAL sum = 0;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const int row = within(y - i, rows, fill_mode);
#pragma unroll
            for (int j = 0; j < 2; j++) {
                const int column = within(place - j, columns, fill_mode);
                const REAL weight = (i ? part_y : 1 - part_y) * (j ? part_x : 1 - part_x);
                const bool is_pixel = row >= 0 && column >= 0;
                const unsigned from = row * line + column * channels + channel;
                sum += weight * (is_pixel ? pixels[from] : fill_value);
            }
        }
        out[image * size + e] = sum;
    }
}
