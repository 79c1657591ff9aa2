// The gradient of max-pooling: each output's goes to the pixel that was its maximum.
//
// input_gradient[image, y, x, channel] = sum of output_gradient[image, row, column, channel] over
// the windows (row, column) that cover the pixel and whose argmax is its place in the window.
//
// Index map: block (image, y) writes one line of pixels; its thread t writes the elements t,
// t + THREADS, ... of it. A thread gathers from the windows that cover its pixel, overlapping or
// not: no two write one element, so that no atomics are needed, and the order of each sum is fixed.
//
// Bytes per output: sizeof(REAL) written, and sizeof(REAL) + 4 read for each window that covers the
// pixel, of which neighbours share most. Operations per output: a comparison and an addition for
// each of them.
//
// Six blocks a multiprocessor are asked for, of 40 registers a thread: left to aim at eight, the
// compiler spills registers in float64.

#include "windows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, 6) max_pool_gradient(
    const REAL* __restrict__ output_gradient,
    const int* __restrict__ argmax,
    REAL* __restrict__ input_gradient,
    Window window,
    int channels)
{
    const long long image = blockIdx.x;
    const int y = blockIdx.y + window.padding_top;
    const int first_row = first_window(y, window.height, window.stride_height);
    const int last_row = last_window(y, window.stride_height, window.rows);
    const unsigned line = window.image_width * channels;
    const long long first_output = image * window.rows * window.columns * channels;
    REAL* pixels = input_gradient + (image * window.image_height + blockIdx.y) * line;
    for (unsigned e = threadIdx.x; e < line; e += THREADS) {
        const int x = e / channels + window.padding_left;
        const int channel = e % channels;
        const int first_column = first_window(x, window.width, window.stride_width);
        const int last_column = last_window(x, window.stride_width, window.columns);
        REAL sum = 0;
        for (int row = first_row; row <= last_row; row++) {
            const int i = y - row * window.stride_height;
            for (int column = first_column; column <= last_column; column++) {
                const int j = x - column * window.stride_width;
                const long long position = (long long)row * window.columns + column;
                const long long output = first_output + position * channels + channel;
                const bool chosen = argmax[output] == i * window.width + j;
                sum += chosen ? output_gradient[output] : (REAL)0;
            }
        }
        pixels[e] = sum;
    }
}
