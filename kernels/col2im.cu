// The transpose of im2col: each pixel is the sum of the patch elements that saw it.
//
// out[image, y, x, channel] = sum over the windows (row, column) that see the pixel of
//     patches[image, (row, column), (i, j, channel)], where
//     i * dilation_height = y + padding_top - row * stride_height,
//     j * dilation_width = x + padding_left - column * stride_width
//
// Index map: block (image, y) writes one line of pixels; its thread t writes the elements t,
// t + THREADS, ... of it. A thread gathers: no two write one element, so that no atomics are
// needed, and the order of each sum is fixed.
//
// Bytes per output: sizeof(REAL) written, and sizeof(REAL) read for each of the
// window.height * window.width / (stride_height * stride_width) windows that see a pixel.
// Operations per output: an addition for each of them.

#include "windows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) col2im(
    const REAL* __restrict__ patches,
    REAL* __restrict__ out,
    Window window,
    int channels)
{
    const long long image = blockIdx.x;
    const int y = blockIdx.y + window.padding_top;
    const int first_row =
        first_window(y, window.height, window.stride_height, window.dilation_height);
    const int last_row = last_window(y, window.stride_height, window.rows);
    const int first_i = (y - first_row * window.stride_height) / window.dilation_height;
    const unsigned line = window.image_width * channels;
    const long long patch = (long long)window.height * window.width * channels;
    const REAL* seen = patches + image * window.rows * window.columns * patch;
    REAL* pixels = out + (image * window.image_height + blockIdx.y) * line;
    for (unsigned e = threadIdx.x; e < line; e += THREADS) {
        const int x = e / channels + window.padding_left;
        const int channel = e % channels;
        const int first_column =
            first_window(x, window.width, window.stride_width, window.dilation_width);
        const int last_column = last_window(x, window.stride_width, window.columns);
        const int first_j = (x - first_column * window.stride_width) / window.dilation_width;
        REAL sum = 0;
        int i = first_i;
        for (int row = first_row; row <= last_row; row += window.dilation_height) {
            int j = first_j;
            for (int column = first_column; column <= last_column;
                 column += window.dilation_width) {
                const long long position = (long long)row * window.columns + column;
                sum += seen[position * patch + (i * window.width + j) * channels + channel];
                j -= window.stride_width;
            }
            i -= window.stride_height;
        }
        pixels[e] = sum;
    }
}
