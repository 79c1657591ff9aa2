// Patches: what the window of a convolution sees at each of its positions, zeros in the padding.
//
// patches[image, (row, column), (i, j, channel)]
//     = x[image, row * stride_height - padding_top + i * dilation_height,
//         column * stride_width - padding_left + j * dilation_width, channel]
//
// Index map: block (image, row) writes the patches of one row of positions, which lie together;
// its thread t writes the elements t, t + THREADS, ... of them. In x, the window.width * channels
// numbers that one line of the window sees lie together too, without dilation: so a column and a
// channel need not be told apart, and an element is in the image if its line is, and its place in
// that line. With dilation, the columns of the window are spread over the line.
//
// Bytes per output: sizeof(REAL) written; read as much, of which a pixel's first use comes from
// memory and the others from cache (x is smaller than the patches by the size of the window, at
// stride 1). Operations: none but the index's, two divisions, and one more with
// dilation.

#include "windows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) im2col(
    const REAL* __restrict__ x,
    REAL* __restrict__ patches,
    Window window,
    int channels)
{
    const long long image = blockIdx.x;
    const int row = blockIdx.y;
    const int line = window.image_width * channels;
    const unsigned segment = window.width * channels;
    const unsigned patch = window.height * segment;
    const unsigned size = window.columns * patch;
    const REAL* pixels = x + image * window.image_height * line;
    REAL* out = patches + (image * window.rows + row) * size;
#pragma unroll 4
    for (unsigned e = threadIdx.x; e < size; e += THREADS) {
        const int column = e / patch;
        const unsigned element = e % patch;
        const int i = element / segment;
        int in_line = element % segment;
        if (window.dilation_width > 1)
            in_line += (in_line - in_line % channels) * (window.dilation_width - 1);
        const int y = row * window.stride_height - window.padding_top + i * window.dilation_height;
        const int left = (column * window.stride_width - window.padding_left) * channels;
        const int place = left + in_line;
        const bool inside = y >= 0 && y < window.image_height && place >= 0 && place < line;
        out[e] = inside ? pixels[(long long)y * line + place] : (REAL)0;
    }
}
