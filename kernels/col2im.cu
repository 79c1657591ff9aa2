// The transpose of im2col: each pixel is the sum of the patch elements that saw it.
//
// out[image, y, x, channel] = sum over the windows (row, column) that cover the pixel of
//     patches[image, (row, column), (y + padding_top - row * stride_height,
//                                    x + padding_left - column * stride_width, channel)]
//
// Index map: block (image, y) writes one line of pixels; its thread t writes the elements t,
// t + THREADS, ... of it. A thread gathers: no two write one element, so that no atomics are
// needed, and the order of each sum is fixed.
//
// Bytes per output: sizeof(REAL) written, and sizeof(REAL) read for each of the
// window_height * window_width / (stride_height * stride_width) windows that cover a pixel.
// Operations per output: an addition for each of them.

#include "windows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) col2im(
    const REAL* __restrict__ patches,
    REAL* __restrict__ out,
    int height,
    int width,
    int channels,
    int rows,
    int columns,
    int window_height,
    int window_width,
    int stride_height,
    int stride_width,
    int padding_top,
    int padding_left)
{
    const long long image = blockIdx.x;
    const int y = blockIdx.y + padding_top;
    const int first_row = first_window(y, window_height, stride_height);
    const int last_row = last_window(y, stride_height, rows);
    const unsigned line = width * channels;
    const long long patch = (long long)window_height * window_width * channels;
    const REAL* seen = patches + image * rows * columns * patch;
    REAL* pixels = out + (image * height + blockIdx.y) * line;
    for (unsigned e = threadIdx.x; e < line; e += THREADS) {
        const int x = e / channels + padding_left;
        const int channel = e % channels;
        const int first_column = first_window(x, window_width, stride_width);
        const int last_column = last_window(x, stride_width, columns);
        REAL sum = 0;
        for (int row = first_row; row <= last_row; row++) {
            const int i = y - row * stride_height;
            for (int column = first_column; column <= last_column; column++) {
                const int j = x - column * stride_width;
                const long long position = (long long)row * columns + column;
                sum += seen[position * patch + (i * window_width + j) * channels + channel];
            }
        }
        pixels[e] = sum;
    }
}
