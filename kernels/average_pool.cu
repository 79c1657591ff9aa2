// Average pooling: the mean of the pixels that each window sees, and the gradient of its input.
//
// average_pool: out[image, row, column, channel] = sum of
//     x[image, row * stride_height - padding_top + i, column * stride_width - padding_left + j,
//       channel] over the elements (i, j) of the window that are in the image,
//     divided by the number of these, seen(row, column).
// average_pool_gradient: input_gradient[image, y, x, channel] = sum of
//     output_gradient[image, row, column, channel] / seen(row, column) over the windows
//     (row, column) that cover the pixel.
//
// Index map: block (image, row) writes one row of outputs, or block (image, y) one line of pixels;
// its thread t writes the elements t, t + THREADS, ... of it, channel by channel, so that a warp
// reads consecutive channels. A thread gathers from the windows that cover its pixel, overlapping
// or not: no two write one element, so that no atomics are needed, and the order of each sum is
// fixed.
//
// Bytes per output: average_pool window.height * window.width * sizeof(REAL) read where windows do
// not overlap; average_pool_gradient sizeof(REAL) read for each window that covers the pixel, of
// which neighbours share most. Both: sizeof(REAL) written. Operations per output: average_pool an
// addition for each element of the window, and a division; average_pool_gradient an addition and a
// division for each window that covers the pixel.
//
// For average_pool_gradient four blocks a multiprocessor are asked for, of 64 registers a thread:
// left to aim at more, the compiler spills registers around the division.

#include "windows.cuh"

// The pixels that a window sees along one axis, of which it covers `start` to start + size - 1.
__device__ int seen(int start, int size, int pixels)
{
    return min(start + size, pixels) - max(start, 0);
}

extern "C" __global__ void __launch_bounds__(THREADS) average_pool(
    const REAL* __restrict__ x, REAL* __restrict__ out, Window window, int channels)
{
    const long long image = blockIdx.x;
    const int row = blockIdx.y;
    const int top = row * window.stride_height - window.padding_top;
    const int first_y = max(top, 0);
    const int height = seen(top, window.height, window.image_height);
    const unsigned size = window.columns * channels;
    const REAL* pixels = x + image * window.image_height * window.image_width * channels;
    REAL* outputs = out + (image * window.rows + row) * size;
    for (unsigned e = threadIdx.x; e < size; e += THREADS) {
        const int left = (int)(e / channels) * window.stride_width - window.padding_left;
        const int channel = e % channels;
        const int first_x = max(left, 0);
        const int width = seen(left, window.width, window.image_width);
        REAL sum = 0;
        for (int i = 0; i < height; i++) {
            for (int j = 0; j < width; j++) {
                const long long pixel = (long long)(first_y + i) * window.image_width + first_x + j;
                sum += pixels[pixel * channels + channel];
            }
        }
        outputs[e] = sum / ((REAL)height * width);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 4) average_pool_gradient(
    const REAL* __restrict__ output_gradient,
    REAL* __restrict__ input_gradient,
    Window window,
    int channels)
{
    const long long image = blockIdx.x;
    const int y = blockIdx.y + window.padding_top;
    const int first_row = first_window(y, window.height, window.stride_height);
    const int last_row = last_window(y, window.stride_height, window.rows);
    const unsigned line = window.image_width * channels;
    const REAL* outputs = output_gradient + image * window.rows * window.columns * channels;
    REAL* pixels = input_gradient + (image * window.image_height + blockIdx.y) * line;
    for (unsigned e = threadIdx.x; e < line; e += THREADS) {
        const int x = e / channels + window.padding_left;
        const int channel = e % channels;
        const int first_column = first_window(x, window.width, window.stride_width);
        const int last_column = last_window(x, window.stride_width, window.columns);
        REAL sum = 0;
        for (int row = first_row; row <= last_row; row++) {
            const int top = row * window.stride_height - window.padding_top;
            const REAL height = seen(top, window.height, window.image_height);
            for (int column = first_column; column <= last_column; column++) {
                const int left = column * window.stride_width - window.padding_left;
                const int width = seen(left, window.width, window.image_width);
                const long long position = (long long)row * window.columns + column;
                sum += outputs[position * channels + channel] / (height * width);
            }
        }
        pixels[e] = sum;
    }
}
