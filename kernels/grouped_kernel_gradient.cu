// The gradient of the kernel of grouped_conv2d.cu, over slabs of positions.
//
// gradients[slab, i, j, c, f] = sum over the positions (image, row, column) of the slab of
//     output_gradient[image, row, column, f]
//     * x[image, row * stride_height - padding_top + i * dilation_height,
//         column * stride_width - padding_left + j * dilation_width, group * group_channels + c]
//
// Index map: block (weights, slab) has `lanes` filters, a power of two, and of a window's line i
// TAPS_AT_ONCE elements j, of one channel c of each group. Its thread t takes filter t % lanes, so
// that a warp reads consecutive gradients however few filters there are; and of the slab's positions
// number t / lanes, t / lanes + THREADS / lanes, .... The threads of a filter then add up their sums
// in shared memory, in halves. The order of each sum depends on the shapes alone; the sums of the
// slabs are added up by sum_rows.cu.
//
// Bytes per output: for each position a pixel and 1 / TAPS_AT_ONCE of a gradient are read, most of
// them from cache, since neighbours see the same; sizeof(REAL) written. Operations per output: a
// multiply-add for each position of the slab.

#include "windows.cuh"

// A position of a window among those of all images.
struct Position {
    long long image;
    int row;
    int column;
};

__device__ __forceinline__ Position position(long long number, const Window& window)
{
    const long long rows = number / window.columns;
    return {rows / window.rows, (int)(rows % window.rows), (int)(number % window.columns)};
}

// The position that lies as far behind `at` as `step` behind the first: without a division.
__device__ __forceinline__ Position behind(Position at, const Position& step, const Window& window)
{
    at.column += step.column;
    at.row += step.row;
    at.image += step.image;
    if (at.column >= window.columns) {
        at.column -= window.columns;
        at.row++;
    }
    if (at.row >= window.rows) {
        at.row -= window.rows;
        at.image++;
    }
    return at;
}

extern "C" __global__ void __launch_bounds__(THREADS) grouped_kernel_gradient(
    const REAL* __restrict__ x,
    const REAL* __restrict__ output_gradient,
    REAL* __restrict__ gradients,
    Window window,
    int channels,
    int group_channels,
    int filters,
    int lanes,
    long long positions,
    long long slab_positions)
{
    __shared__ REAL shared[TAPS_AT_ONCE][THREADS];
    const int t = threadIdx.x;
    const int slices = THREADS / lanes;
    const int filter_tiles = (filters + lanes - 1) / lanes;
    const int parts = (window.width + TAPS_AT_ONCE - 1) / TAPS_AT_ONCE;
    const int filter = blockIdx.x % filter_tiles * lanes + t % lanes;
    const int of_tile = blockIdx.x / filter_tiles;
    const int c = of_tile % group_channels;
    const int first_j = of_tile / group_channels % parts * TAPS_AT_ONCE;
    const int i = of_tile / group_channels / parts;
    const int taps = filter < filters ? min(window.width - first_j, TAPS_AT_ONCE) : 0;
    const int group_filters = filters / (channels / group_channels);
    const REAL* of_channel = x + filter / group_filters * group_channels + c;

    const long long first = blockIdx.y * slab_positions + t / lanes;
    const long long end = min((blockIdx.y + 1) * slab_positions, positions);
    const Position step = position(slices, window);
    Position at = position(first, window);
    REAL sums[TAPS_AT_ONCE] = {};
    for (long long number = first; number < end; number += slices) {
        const int y = at.row * window.stride_height - window.padding_top + i * window.dilation_height;
        if (taps > 0 && y >= 0 && y < window.image_height) {
            const REAL gradient = output_gradient[number * filters + filter];
            const int left = at.column * window.stride_width - window.padding_left;
            const REAL* line =
                of_channel + (at.image * window.image_height + y) * window.image_width * channels;
#pragma unroll
            for (int k = 0; k < TAPS_AT_ONCE; k++) {
                const int place = left + (first_j + k) * window.dilation_width;
                if (k < taps && place >= 0 && place < window.image_width)
                    sums[k] += gradient * line[place * channels];
            }
        }
        at = behind(at, step, window);
    }

#pragma unroll
    for (int k = 0; k < TAPS_AT_ONCE; k++) shared[k][t] = sums[k];
    for (int half = THREADS / 2; half >= lanes; half /= 2) {
        __syncthreads();
#pragma unroll
        for (int k = 0; k < TAPS_AT_ONCE; k++)
            if (t < half) shared[k][t] += shared[k][t + half];
    }
    if (t >= lanes) return;
    REAL* of_line = gradients +
        ((long long)blockIdx.y * window.height + i) * window.width * group_channels * filters;
    for (int k = 0; k < taps; k++)
        of_line[((first_j + k) * group_channels + c) * filters + filter] = shared[k][t];
}
