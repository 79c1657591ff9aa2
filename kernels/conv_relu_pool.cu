// Convolution, ReLU and max-pooling in one pass: nothing between them goes to memory.
//
// out[image, row, column, filter] = max(0, max over the POOL positions of its pooling window of
//     bias[filter] + sum over (i, j, channel) of kernel[i, j, channel, filter]
//                                             * x[image, y + i, x + j, channel]);
// argmax = the first element of the window, in row-major order, with that maximum, or CUT where the
// maximum is not positive: one byte is all that the gradients need. A NaN makes the output NaN.
//
// Index map: block (image, tile, z) computes a tile of outputs of TILE_FILTERS filters. A thread
// keeps the POOL x THREAD_FILTERS sums of one output and THREAD_FILTERS filters in registers, where
// they are pooled. Thread t takes output t % SLOTS of the tile, group t / SLOTS % FILTER_GROUPS of
// the filters, and channels t / SLICE_THREADS, + SLICES, ... of those that are in shared memory,
// TILE_CHANNELS at once. For a channel it reads its patch to registers, from which each pixel goes
// into several positions, and for each tap the weights of its filters, 16 bytes at once: the
// THREAD_FILTERS threads of a warp that read the same come first in it. Filter i of group g is
// i * FILTER_GROUPS + g of the tile, so that groups write neighbours.
//
// Bytes per output: sizeof(REAL) + 1 written; read mostly from cache, REGION / (TILE * TILE_FILTERS)
// pixels and TAPS * CHANNELS / TILE weights. Operations per output: POOL * TAPS * CHANNELS
// multiply-adds, POOL comparisons. For a channel, a thread reads PATCH_HEIGHT * PATCH_WIDTH pixels
// and TAPS * THREAD_FILTERS weights of shared memory for POOL * TAPS * THREAD_FILTERS multiply-adds.

#include "regions.cuh"

#define TILE_FILTERS (FILTER_GROUPS * THREAD_FILTERS)
#define WEIGHTS (TILE_CHANNELS * TAPS * TILE_FILTERS)
#define SUMS (POOL * THREAD_FILTERS)
#define SLICE_SUMS (SLICES / 2 * SLICE_THREADS * SUMS)
#define MEMORY (WEIGHTS + REGION > SLICE_SUMS ? WEIGHTS + REGION : SLICE_SUMS)

// As many weights as 16 bytes hold, which are read at once.
struct __align__(16) Weights {
    REAL of[16 / sizeof(REAL)];
};

// weights[channel][tap][group][i]: of the channels from `first_channel` and the filters from
// `first_filter` on, zeros beyond the last.
__device__ __forceinline__ void load_weights(
    REAL* weights, const REAL* __restrict__ kernel, int first_channel, int first_filter)
{
#pragma unroll 12
    for (int e = threadIdx.x; e < WEIGHTS; e += THREADS) {
        const int filter = e % TILE_FILTERS;
        const int tap = e / TILE_FILTERS % TAPS;
        const int channel = e / (TILE_FILTERS * TAPS);
        const bool inside = first_channel + channel < CHANNELS && first_filter + filter < FILTERS;
        const int weight = (tap * CHANNELS + first_channel + channel) * FILTERS;
        const int place = filter % FILTER_GROUPS * THREAD_FILTERS + filter / FILTER_GROUPS;
        weights[(channel * TAPS + tap) * TILE_FILTERS + place] =
            inside ? kernel[weight + first_filter + filter] : (REAL)0;
    }
}

// Add what one channel contributes to the sums of a thread: `pixels` is the first of its patch,
// `weights` the first of its filters.
__device__ __forceinline__ void add_channel(
    REAL sums[POOL][THREAD_FILTERS], const REAL* pixels, const REAL* weights)
{
    REAL patch[PATCH_HEIGHT][PATCH_WIDTH];
    UNROLLED(i, PATCH_HEIGHT)
        UNROLLED(j, PATCH_WIDTH) patch[i][j] = pixels[(i * REGION_WIDTH + j) * PIXEL];
    UNROLLED(tap, TAPS) {
        Weights of_tap[THREAD_FILTERS * sizeof(REAL) / 16];
        UNROLLED(v, THREAD_FILTERS * sizeof(REAL) / 16)
            of_tap[v] = ((const Weights*)(weights + tap * TILE_FILTERS))[v];
        UNROLLED(e, POOL) {
            const REAL pixel = patch[ELEMENT_ROW(e) + tap / WIDTH][ELEMENT_COLUMN(e) + tap % WIDTH];
            UNROLLED(i, THREAD_FILTERS)
                sums[e][i] += pixel * of_tap[i * sizeof(REAL) / 16].of[i % (16 / sizeof(REAL))];
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) conv_relu_pool(
    const REAL* __restrict__ x,
    const REAL* __restrict__ kernel,
    const REAL* __restrict__ bias,
    REAL* __restrict__ out,
    unsigned char* __restrict__ argmax)
{
    __shared__ __align__(16) REAL memory[MEMORY];
    REAL* weights = memory;
    REAL* region = memory + WEIGHTS;
    const long long image = blockIdx.x;
    const int tile = blockIdx.y;
    const int position = threadIdx.x % SLOTS;
    const int group = threadIdx.x / SLOTS % FILTER_GROUPS;
    const int slice = threadIdx.x / SLICE_THREADS;
    const int row_in_tile = position / TILE_COLUMNS;
    const int column_in_tile = position % TILE_COLUMNS;
    const int row = FIRST_ROW(tile) + row_in_tile;
    const int column = FIRST_COLUMN(tile) + column_in_tile;
    const int first_filter = blockIdx.z * TILE_FILTERS;
    const int corner = (row_in_tile * CELL_HEIGHT * REGION_WIDTH + column_in_tile * CELL_WIDTH) * PIXEL;
    const bool works = position < TILE && row < POOLED_ROWS && column < POOLED_COLUMNS;

    REAL sums[POOL][THREAD_FILTERS];
    UNROLLED(i, THREAD_FILTERS) {
        const int filter = first_filter + i * FILTER_GROUPS + group;
        UNROLLED(e, POOL) sums[e][i] = slice == 0 && filter < FILTERS ? bias[filter] : (REAL)0;
    }
    for (int first = 0; first < CHANNELS; first += TILE_CHANNELS) {
        __syncthreads();  // before the memory is overwritten
        load_weights(weights, kernel, first, first_filter);
        load_region(region, x, image, tile, first);
        __syncthreads();
        if (works) {
#pragma unroll 1
            for (int c = slice; c < TILE_CHANNELS; c += SLICES) {
                const REAL* of_group = weights + c * TAPS * TILE_FILTERS + group * THREAD_FILTERS;
                add_channel(sums, region + corner + c, of_group);
            }
        }
    }
    add_slices(&sums[0][0], SUMS, memory);

    if (!works || slice != 0) return;
    const long long first_out =
        ((image * POOLED_ROWS + row) * POOLED_COLUMNS + column) * FILTERS + first_filter + group;
    UNROLLED(i, THREAD_FILTERS) {
        REAL best = sums[0][i];
        int element = 0;
        UNROLLED(e, POOL) {
            const bool greater = sums[e][i] > best;
            best = greater || sums[e][i] != sums[e][i] ? sums[e][i] : best;
            element = greater ? e : element;
        }
        if (first_filter + i * FILTER_GROUPS + group < FILTERS) {
            out[first_out + i * FILTER_GROUPS] = best <= 0 ? (REAL)0 : best;
            argmax[first_out + i * FILTER_GROUPS] = best > 0 ? element : CUT;
        }
    }
}
