// Images in a frame of another size: larger with zeros around them, or smaller.
//
// out[image, row, column, channel] = x[image, row - padding_top, column - padding_left, channel]
// where that pixel is in the image, else 0. A negative padding cuts off.
//
// Index map: block (image, part) writes a part of an image, shared out among its threads as in
// elements.cuh.
//
// Bytes per output: sizeof(REAL) read of those from the image, sizeof(REAL) written. Operations per
// output: none.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) pad(
    const REAL* __restrict__ x,
    REAL* __restrict__ out,
    int image_height,
    int image_width,
    int rows,
    int columns,
    int channels,
    int padding_top,
    int padding_left)
{
    const long long image = blockIdx.x;
    const unsigned line = columns * channels, size = rows * line;
    const int image_line = image_width * channels;
    const REAL* pixels = x + image * image_height * image_line;
    REAL values[ITEMS];
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        const int y = (int)(e / line) - padding_top;
        const int place = (int)(e % line) - padding_left * channels;
        const bool inside =
            e < size && y >= 0 && y < image_height && place >= 0 && place < image_line;
        values[k] = inside ? pixels[y * image_line + place] : (REAL)0;
    }
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        if (e < size) out[image * size + e] = values[k];
    }
}
