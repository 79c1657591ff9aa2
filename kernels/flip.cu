// Images turned upside down, mirrored, both, or neither, each as its flips say.
//
// out[image, row, column, channel] = x[image, y, place, channel], where y is rows - 1 - row if
// flips[image, 0] is not 0, else row; and place is columns - 1 - column if flips[image, 1] is not 0,
// else column.
//
// Index map: block (image, part) writes a part of an image, shared out among its threads as in
// elements.cuh.
//
// Bytes per output: sizeof(REAL) read, sizeof(REAL) written. Operations per output: none.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) flip(
    const REAL* __restrict__ x,
    const int* __restrict__ flips,
    REAL* __restrict__ out,
    int rows,
    int columns,
    int channels)
{
    const long long image = blockIdx.x;
    const bool is_turned = flips[2 * image] != 0, is_mirrored = flips[2 * image + 1] != 0;
    const unsigned line = columns * channels, size = rows * line;
    const REAL* pixels = x + image * size;
    REAL values[ITEMS];
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        const unsigned row = e / line, column = e % line / channels, channel = e % channels;
        const unsigned y = is_turned ? rows - 1 - row : row;
        const unsigned place = is_mirrored ? columns - 1 - column : column;
        values[k] = e < size ? pixels[y * line + place * channels + channel] : (REAL)0;
    }
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        if (e < size) out[image * size + e] = values[k];
    }
}
