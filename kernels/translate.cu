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
#include "resampling.cuh"

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
    const REAL part_y = part_of(down), part_x = part_of(right);
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
