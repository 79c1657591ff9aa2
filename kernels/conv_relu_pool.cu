// Convolution, ReLU and max-pooling in one pass: nothing between them goes to memory.
//
// out[image, row, column, filter] = max(0, max over the POOL positions of its pooling window of
//     bias[filter] + sum over (i, j, channel) of kernel[i, j, channel, filter]
//         * x[image, y + i * DILATION_HEIGHT, x + j * DILATION_WIDTH, channel]);
// argmax = the first element of the window, in row-major order, with that maximum, or CUT where the
// maximum is not positive: one byte is all that the gradients need. A NaN makes the output NaN.
// Where x is null, image i is bytes[indices[i]], normalised as by gather_bytes.
//
// Index map: block (image, tile, z) computes a tile of outputs of TILE_FILTERS filters. A thread
// keeps the POOL x THREAD_FILTERS sums of one output and THREAD_FILTERS filters in registers, where
// they are pooled. Thread t takes output t % TILE, group t / TILE % FILTER_GROUPS of the filters,
// and of the TILE_CHANNELS channels that are in shared memory at once those from t / SLICE_THREADS
// on, SLICES apart. For a channel it reads its patch to registers, from which a pixel goes into
// several positions, and for each tap the weights of its filters, 16 bytes at once, which are the
// same in most of a warp. Where the channels take several turns, those of the next are on their way
// to registers while these are multiplied. The pooled outputs go through shared memory, so that a
// warp writes consecutive ones.
//
// Bytes per output: sizeof(REAL) + 1 written; read mostly from cache, at most REGION_HEIGHT *
// REGION_WIDTH * CHANNELS / (TILE * TILE_FILTERS) pixels, and TAPS * CHANNELS / TILE weights.
// Operations per output: POOL * TAPS * CHANNELS multiply-adds, POOL comparisons. For a channel, a
// thread reads PATCH_HEIGHT * PATCH_WIDTH pixels and TAPS * THREAD_FILTERS weights of shared memory
// for POOL * TAPS * THREAD_FILTERS multiply-adds.

#include "regions.cuh"

#define TILE_FILTERS (FILTER_GROUPS * THREAD_FILTERS)
#define WEIGHTS (TAPS * TILE_CHANNELS * TILE_FILTERS)
#define SUMS (POOL * THREAD_FILTERS)
#define SLICE_THREADS (TILE * FILTER_GROUPS)
#define SLICE_SUMS (SLICES / 2 * SLICE_THREADS * SUMS)

// From output to output in shared memory: one more than it has filters, so that a warp that writes
// one filter of many outputs writes to different banks.
#define OUTPUT (TILE_FILTERS + 1)
#define MEMORY LARGER(LARGER(WEIGHTS + REGION, SLICE_SUMS), TILE * OUTPUT)

// As many weights as 16 bytes hold, which are read at once.
#define VECTOR (16 / sizeof(REAL))

struct __align__(16) Weights {
    REAL of[VECTOR];
};

// Filters whose weights are read at once from memory.
#define LOADED_FILTERS AT_ONCE(TILE_FILTERS, FILTERS)
#define FILTER_VECTORS (TILE_FILTERS / LOADED_FILTERS)

struct __align__(LOADED_FILTERS * sizeof(REAL)) LoadedFilters {
    REAL of[LOADED_FILTERS];
};

// The vectors of weights[tap][channel][filter], of the channels and filters of a tile.
#define WEIGHT_VECTORS (TAPS * TILE_CHANNELS * FILTER_VECTORS)

// Vector e of the channels from `first_channel` and the filters from `first_filter` on, zeros beyond
// the last. The kernel is a part of the vector of all parameters, so it may lie at an address that
// vectors cannot be read from.
__device__ __forceinline__ LoadedFilters load_filters(
    const REAL* __restrict__ kernel, int first_channel, int first_filter, int e)
{
    const int filter = first_filter + e % FILTER_VECTORS * LOADED_FILTERS;
    const int row = e / FILTER_VECTORS;
    const int channel = first_channel + row % TILE_CHANNELS;
    const bool is_aligned = (unsigned long long)kernel % sizeof(LoadedFilters) == 0;
    const REAL* from = kernel + (row / TILE_CHANNELS * CHANNELS + channel) * FILTERS + filter;
    LoadedFilters loaded = {};
    if (filter < FILTERS && channel < CHANNELS) {
        if (is_aligned) loaded = *(const LoadedFilters*)from;
        else UNROLLED(k, LOADED_FILTERS) loaded.of[k] = from[k];
    }
    return loaded;
}

__device__ __forceinline__ void store_filters(REAL* weights, const LoadedFilters& filters, int e)
{
    ((LoadedFilters*)weights)[e] = filters;
}

__device__ __forceinline__ void load_weights(
    REAL* weights, const REAL* __restrict__ kernel, int first_channel, int first_filter)
{
#pragma unroll 4
    for (int e = threadIdx.x; e < WEIGHT_VECTORS; e += THREADS)
        store_filters(weights, load_filters(kernel, first_channel, first_filter, e), e);
}

// The next channels' weights and pixels on their way from memory, while those before them are
// multiplied: where there are several tiles of channels.
#define LOADS(vectors) (((vectors) + THREADS - 1) / THREADS)

struct Ahead {
    LoadedFilters filters[LOADS(WEIGHT_VECTORS)];
    RegionChannels channels[LOADS(REGION_VECTORS)];
};

__device__ __forceinline__ void load_ahead(
    Ahead& ahead, const REAL* __restrict__ kernel, const Region& from, int first_channel,
    int first_filter)
{
    UNROLLED(i, LOADS(WEIGHT_VECTORS)) {
        const int e = i * THREADS + threadIdx.x;
        if (e < WEIGHT_VECTORS)
            ahead.filters[i] = load_filters(kernel, first_channel, first_filter, e);
    }
    UNROLLED(i, LOADS(REGION_VECTORS)) {
        const int e = i * THREADS + threadIdx.x;
        if (e < REGION_VECTORS) ahead.channels[i] = load_channels(from, first_channel, e);
    }
}

__device__ __forceinline__ void store_ahead(const Ahead& ahead, REAL* weights, REAL* region)
{
    UNROLLED(i, LOADS(WEIGHT_VECTORS)) {
        const int e = i * THREADS + threadIdx.x;
        if (e < WEIGHT_VECTORS) store_filters(weights, ahead.filters[i], e);
    }
    UNROLLED(i, LOADS(REGION_VECTORS)) {
        const int e = i * THREADS + threadIdx.x;
        if (e < REGION_VECTORS) store_channels(region, ahead.channels[i], e);
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
        Weights of_tap[THREAD_FILTERS / VECTOR];
        UNROLLED(v, THREAD_FILTERS / VECTOR)
            of_tap[v] = ((const Weights*)(weights + tap * TILE_CHANNELS * TILE_FILTERS))[v];
        UNROLLED(e, POOL) {
            const REAL pixel =
                patch[ELEMENT_ROW(e) + TAP_ROW(tap)][ELEMENT_COLUMN(e) + TAP_COLUMN(tap)];
            UNROLLED(i, THREAD_FILTERS)
                sums[e][i] += pixel * of_tap[i / VECTOR].of[i % VECTOR];
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) conv_relu_pool(
    const REAL* __restrict__ x,
    const unsigned char* __restrict__ bytes,
    const long long* __restrict__ indices,
    const REAL* __restrict__ kernel,
    const REAL* __restrict__ bias,
    REAL* __restrict__ out,
    unsigned char* __restrict__ argmax)
{
    __shared__ __align__(16) REAL memory[MEMORY];
    __shared__ unsigned char elements[TILE * OUTPUT];
    REAL* weights = memory;
    REAL* region = memory + WEIGHTS;
    REAL* pooled = memory;
    const long long image = blockIdx.x;
    const int tile = blockIdx.y;
    const int first_filter = blockIdx.z * TILE_FILTERS;
    const int position = threadIdx.x % TILE;
    const int first_of_group = threadIdx.x / TILE % FILTER_GROUPS * THREAD_FILTERS;
    const int slice = threadIdx.x / SLICE_THREADS;
    const int corner = position / TILE_COLUMNS * CELL_HEIGHT * REGION_WIDTH +
                       position % TILE_COLUMNS * CELL_WIDTH;

    REAL sums[POOL][THREAD_FILTERS];
    UNROLLED(i, THREAD_FILTERS) {
        const int filter = first_filter + first_of_group + i;
        UNROLLED(e, POOL) sums[e][i] = slice == 0 && filter < FILTERS ? bias[filter] : (REAL)0;
    }
#if CHANNELS > TILE_CHANNELS
    const Region from = region_of({x, bytes, indices}, image, tile);
    Ahead ahead;
    load_ahead(ahead, kernel, from, 0, first_filter);
#else
    load_weights(weights, kernel, 0, first_filter);
    load_region(region, {x, bytes, indices}, image, tile, 0);
#endif
    for (int first = 0; first < CHANNELS; first += TILE_CHANNELS) {
#if CHANNELS > TILE_CHANNELS
        __syncthreads();  // before the memory is overwritten
        store_ahead(ahead, weights, region);
        if (first + TILE_CHANNELS < CHANNELS)
            load_ahead(ahead, kernel, from, first + TILE_CHANNELS, first_filter);
#endif
        __syncthreads();
        if (slice < SLICES) {
#pragma unroll 1
            for (int c = slice; c < TILE_CHANNELS; c += SLICES)
                add_channel(
                    sums, region + corner * PIXEL + c, weights + c * TILE_FILTERS + first_of_group);
        }
    }
    add_slices(&sums[0][0], SUMS, SLICE_THREADS, memory);

    __syncthreads();  // before the memory is overwritten
    if (slice == 0) {
        UNROLLED(i, THREAD_FILTERS) {
            REAL best = sums[0][i];
            int element = 0;
            UNROLLED(e, POOL) {
                const bool greater = sums[e][i] > best;
                best = greater || sums[e][i] != sums[e][i] ? sums[e][i] : best;
                element = greater ? e : element;
            }
            pooled[position * OUTPUT + first_of_group + i] = best <= 0 ? (REAL)0 : best;
            elements[position * OUTPUT + first_of_group + i] = best > 0 ? element : CUT;
        }
    }
    __syncthreads();
    const int filter = threadIdx.x % TILE_FILTERS;
    for (int o = threadIdx.x / TILE_FILTERS; o < TILE; o += THREADS / TILE_FILTERS) {
        const int row = FIRST_ROW(tile) + o / TILE_COLUMNS;
        const int column = FIRST_COLUMN(tile) + o % TILE_COLUMNS;
        if (row < POOLED_ROWS && column < POOLED_COLUMNS && first_filter + filter < FILTERS) {
            const long long position = (image * POOLED_ROWS + row) * POOLED_COLUMNS + column;
            out[position * FILTERS + first_filter + filter] = pooled[o * OUTPUT + filter];
            argmax[position * FILTERS + first_filter + filter] = elements[o * OUTPUT + filter];
        }
    }
}
