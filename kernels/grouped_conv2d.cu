// Convolution in groups of channels without patches, and the gradient of its input; depthwise where a
// group has one channel.
//
// Of `channels` channels a group has `group_channels`, and of `filters` filters equally many shares:
// group_filters. Filter f belongs to group f / group_filters, and sees its channels alone.
//
// grouped_conv2d: out[image, row, column, f] = bias[f] + sum over (i, j, c) of kernel[i, j, c, f]
//     * x[image, row * stride_height - padding_top + i * dilation_height,
//         column * stride_width - padding_left + j * dilation_width, group * group_channels + c]
// grouped_input_gradient: input_gradient[image, y, x, group * group_channels + c] = sum over
//     the windows (row, column) that see the pixel by their element (i, j), and over the filters f of
//     the group, of output_gradient[image, row, column, f] * kernel[i, j, c, f]
//
// Index map: block (image, row) writes one row of outputs, or block (image, y) one line of pixels;
// its thread t writes the elements t, t + THREADS, ... of it, filter by filter or channel by channel,
// so that where groups have one channel a warp reads consecutive pixels and weights. A thread
// gathers: no two write one element, so that no atomics are needed, and the order of each sum is
// fixed.
//
// Bytes per output: grouped_conv2d height * width * group_channels pixels and as many weights are
// read, grouped_input_gradient group_filters gradients and as many weights for each window
// that sees the pixel: most of them from cache, since neighbours see the same. Both: sizeof(REAL)
// written. Operations per output: a multiply-add for each pair of these.
//
// The channels of a group are taken two at a time: left to unroll further, the compiler spills
// registers in double.

#include "windows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) grouped_conv2d(
    const REAL* __restrict__ x,
    const REAL* __restrict__ kernel,
    const REAL* __restrict__ bias,
    REAL* __restrict__ out,
    Window window,
    int channels,
    int group_channels,
    int filters)
{
    const long long image = blockIdx.x;
    const int row = blockIdx.y;
    const int group_filters = filters / (channels / group_channels);
    const int top = row * window.stride_height - window.padding_top;
    const unsigned size = window.columns * filters;
    const REAL* pixels = x + image * window.image_height * window.image_width * channels;
    REAL* outputs = out + (image * window.rows + row) * size;
    for (unsigned e = threadIdx.x; e < size; e += THREADS) {
        const int filter = e % filters;
        const int left = (int)(e / filters) * window.stride_width - window.padding_left;
        const REAL* of_group = pixels + filter / group_filters * group_channels;
        const REAL* weights = kernel + filter;
        REAL sum = bias[filter];
        for (int i = 0; i < window.height; i++) {
            const int y = top + i * window.dilation_height;
            if (y < 0 || y >= window.image_height) continue;
            for (int j = 0; j < window.width; j++) {
                const int place = left + j * window.dilation_width;
                if (place < 0 || place >= window.image_width) continue;
                const REAL* pixel =
                    of_group + ((long long)y * window.image_width + place) * channels;
                const REAL* of_tap = weights + (i * window.width + j) * group_channels * filters;
#pragma unroll 2
                for (int c = 0; c < group_channels; c++) sum += pixel[c] * of_tap[c * filters];
            }
        }
        outputs[e] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) grouped_input_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ kernel,
    REAL* __restrict__ input_gradient,
    Window window,
    int channels,
    int group_channels,
    int filters)
{
    const long long image = blockIdx.x;
    const int y = blockIdx.y + window.padding_top;
    const int first_row =
        first_window(y, window.height, window.stride_height, window.dilation_height);
    const int last_row = last_window(y, window.stride_height, window.rows);
    const int first_i = (y - first_row * window.stride_height) / window.dilation_height;
    const int group_filters = filters / (channels / group_channels);
    const unsigned line = window.image_width * channels;
    const REAL* outputs = output_gradient + image * window.rows * window.columns * filters;
    REAL* pixels = input_gradient + (image * window.image_height + blockIdx.y) * line;
    for (unsigned e = threadIdx.x; e < line; e += THREADS) {
        const int x = e / channels + window.padding_left;
        const int channel = e % channels;
        const int first_column =
            first_window(x, window.width, window.stride_width, window.dilation_width);
        const int last_column = last_window(x, window.stride_width, window.columns);
        const int first_j = (x - first_column * window.stride_width) / window.dilation_width;
        const int first_filter = channel / group_channels * group_filters;
        const REAL* of_group = outputs + first_filter;
        const REAL* weights = kernel + channel % group_channels * filters + first_filter;
        REAL sum = 0;
        int i = first_i;
        for (int row = first_row; row <= last_row; row += window.dilation_height) {
            int j = first_j;
            for (int column = first_column; column <= last_column;
                 column += window.dilation_width) {
                const REAL* gradients =
                    of_group + ((long long)row * window.columns + column) * filters;
                const REAL* of_tap = weights + (i * window.width + j) * group_channels * filters;
                for (int f = 0; f < group_filters; f++) sum += gradients[f] * of_tap[f];
                j -= window.stride_width;
            }
            i -= window.stride_height;
        }
        pixels[e] = sum;
    }
}
