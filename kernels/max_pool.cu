// Max-pooling: the maximum of each window, and which of its elements that is.
//
// out[image, row, column, channel] = max of
//     x[image, row * stride_height - padding_top + i, column * stride_width - padding_left + j,
//       channel] over the elements (i, j) of the window that are in the image;
// argmax = i * window.width + j of the first that is greatest, in row-major order.
// A NaN makes the maximum NaN.
//
// Index map: block (image, row) writes one row of outputs; its thread t writes the elements t,
// t + THREADS, ... of it, channel by channel, so that a warp reads consecutive channels.
//
// Bytes per output: window.height * window.width * sizeof(REAL) read where windows do not overlap,
// sizeof(REAL) + 4 written. Operations per output: a comparison for each element of the window.
//
// Six blocks a multiprocessor are asked for, of 40 registers a thread: left to aim at eight, the
// compiler spills registers in float64.

#include "windows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, 6) max_pool(
    const REAL* __restrict__ x,
    REAL* __restrict__ out,
    int* __restrict__ argmax,
    Window window,
    int channels)
{
    const long long image = blockIdx.x;
    const int row = blockIdx.y;
    const int top = row * window.stride_height - window.padding_top;
    const int first_i = max(-top, 0);
    const int end_i = min(window.height, window.image_height - top);
    const unsigned size = window.columns * channels;
    const REAL* pixels = x + image * window.image_height * window.image_width * channels;
    const long long first_out = (image * window.rows + row) * size;
    for (unsigned e = threadIdx.x; e < size; e += THREADS) {
        const int left = (int)(e / channels) * window.stride_width - window.padding_left;
        const int channel = e % channels;
        const int first_j = max(-left, 0);
        const int end_j = min(window.width, window.image_width - left);
        REAL best = -__int_as_float(0x7f800000);  // minus infinity, for which NVRTC has no name
        int best_element = 0;
        for (int i = first_i; i < end_i; i++) {
            for (int j = first_j; j < end_j; j++) {
                const long long pixel = (long long)(top + i) * window.image_width + left + j;
                const REAL value = pixels[pixel * channels + channel];
                const bool greater = value > best;
                best = greater || value != value ? value : best;
                best_element = greater ? i * window.width + j : best_element;
            }
        }
        out[first_out + e] = best;
        argmax[first_out + e] = best_element;
    }
}
