// Images mapped by affine maps of their own: turned, scaled, sheared, or moved.
//
// out[image, row, column, channel] = sum over i, j in {0, 1} of weight_i * weight_j *
//     x[image, whole_y + i, whole_x + j, channel]
// for the place whole_y + part_y = (a + b row + c column) / 2^16, and likewise whole_x + part_x =
// (d + e row + f column) / 2^16; the parts in [0, 1), weight_0 = 1 - part and weight_1 = part. The
// map (a, b, c, d, e, f) is the sum maps[drawn[image, 0]] + maps[drawn[image, 1]]. Pixels
// outside of the image are those that `fill_mode` tells, see resampling.cuh. With `interpolation` 0
// it is the pixel that is nearest to the place, the next of two that are equally near.
//
// Index map: block (image, part) writes a part of an image, shared out among its threads as in
// elements.cuh.
//
// Bytes per output: 4 sizeof(REAL) read, of which neighbours share most, sizeof(REAL) written.
// Operations per output: 4 multiply-adds.

#include "elements.cuh"
#include "resampling.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) transform(
    const REAL* __restrict__ x,
    const int* __restrict__ drawn,
    const int* __restrict__ maps,
    REAL* __restrict__ out,
    int rows,
    int columns,
    int image_height,
    int image_width,
    int channels,
    int fill_mode,
    int interpolation,
    REAL fill_value)
{
    const long long image = blockIdx.x;
    const int* first = maps + 6 * drawn[2 * image];
    const int* second = maps + 6 * drawn[2 * image + 1];
    int map[6];
#pragma unroll
    for (int m = 0; m < 6; m++) map[m] = first[m] + second[m];
    const bool is_nearest = interpolation == 0;
    const int taps = is_nearest ? 1 : 2, half = is_nearest ? 1 << (SHIFT_BITS - 1) : 0;
    const unsigned line = columns * channels, size = rows * line;
    const unsigned image_line = image_width * channels;
    const REAL* pixels = x + image * image_height * image_line;
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        if (e >= size) continue;
        const int to_row = e / line, to_column = e % line / channels;
        const unsigned channel = e % channels;
        const int y = map[0] + map[1] * to_row + map[2] * to_column + half;
        const int place = map[3] + map[4] * to_row + map[5] * to_column + half;
        const REAL part_y = is_nearest ? (REAL)0 : part_of(y);
        const REAL part_x = is_nearest ? (REAL)0 : part_of(place);
        REAL sum = 0;
        for (int i = 0; i < taps; i++) {
            const int row = within((y >> SHIFT_BITS) + i, image_height, fill_mode);
            for (int j = 0; j < taps; j++) {
                const int column = within((place >> SHIFT_BITS) + j, image_width, fill_mode);
                const REAL weight = (i ? part_y : 1 - part_y) * (j ? part_x : 1 - part_x);
                const bool is_pixel = row >= 0 && column >= 0;
                const unsigned from = row * image_line + column * channels + channel;
                sum += weight * (is_pixel ? pixels[from] : fill_value);
            }
        }
        out[image * size + e] = sum;
    }
}
