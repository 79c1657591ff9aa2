// The gradients of the kernel and the bias of conv_relu_pool.cu.
//
// Of the positions of a pooling window one alone has a gradient: so the sum goes over the outputs,
// not over the positions, of which there are POOL times as many. With g = output_gradient, 0 where
// argmax is CUT:
//
// kernel_gradient[i, j, channel, filter] = sum over the outputs of
//     g[output, filter] * x[y + i, x + j, channel], (y, x) being where its argmax begins;
// bias_gradient[filter] = sum of g[output, filter].
// Where x is null, image i is bytes[indices[i]], normalised as by gather_bytes.
//
// Index map: block (slab, y, z) takes the tiles from slab * slab_tiles on, counted through the
// images, for TILE_FILTERS filters from y * TILE_FILTERS and TILE_CHANNELS channels from
// z * TILE_CHANNELS. Thread t keeps the sums of filter t % TILE_FILTERS, all taps, and
// THREAD_CHANNELS channels, and takes the outputs t / SLICE_THREADS, + SLICES, ... of a tile. The
// gradients and the places of their pixels are in shared memory, and so are the pixels, of which a
// thread reads THREAD_CHANNELS at once; a warp reads from as many places as windows have elements.
//
// With more than one slab, each block writes its sums to its own, in the order of its threads. They
// are added up in two stages, so that no block adds up many: of every `group_slabs` slabs by the
// last of their blocks to finish, and these sums by the last of all groups; each in an order that
// depends on the shape alone.
//
// Bytes per weight: sizeof(REAL) written, and 2 sizeof(REAL) for each slab, and for each group.
// Operations per output and weight: a multiply-add, for which sizeof(REAL) bytes of shared memory are
// read.

#include "last_block.cuh"
#include "regions.cuh"

#define CHANNEL_GROUPS (TILE_CHANNELS / THREAD_CHANNELS)
#define SLICE_THREADS (THREADS / SLICES)
#define SUMS (TAPS * THREAD_CHANNELS + 1)
#define SLICE_SUMS (SLICES / 2 * SLICE_THREADS * SUMS)
#define TILE_GRADIENTS (TILE * TILE_FILTERS)
#define MEMORY LARGER(REGION + TILE_GRADIENTS, SLICE_SUMS)
#define SLAB (SUMS * SLICE_THREADS)
#define SLABS_AT_ONCE (SUMS <= 20 ? 4 : 1)  // of a thread, whose loads do not wait for each other
#define VECTOR (THREAD_CHANNELS * sizeof(REAL))
#define UNROLL (THREAD_CHANNELS == 1 ? 8 : 4)  // outputs in a turn of the innermost loop

// Some channels of a pixel, which are read at once.
struct __align__(VECTOR < 16 ? VECTOR : 16) Pixel {
    REAL of[THREAD_CHANNELS];
};

// Filters of an output that are read at once.
#define LOADED_FILTERS AT_ONCE(TILE_FILTERS, FILTERS)
#define OUTPUT_VECTORS (TILE_FILTERS / LOADED_FILTERS)

struct __align__(LOADED_FILTERS * sizeof(REAL)) LoadedGradients {
    REAL of[LOADED_FILTERS];
};

struct __align__(LOADED_FILTERS) LoadedElements {
    unsigned char of[LOADED_FILTERS];
};

// The gradients of a tile's outputs, and the places in the region of its pixels where they arise: in
// bytes, which a thread adds to an address without multiplying.
__device__ __forceinline__ void load_gradients(
    REAL* gradients,
    unsigned short* places,
    const REAL* __restrict__ output_gradient,
    const unsigned char* __restrict__ argmax,
    long long image,
    int tile,
    int first_filter)
{
#pragma unroll 2
    for (int e = threadIdx.x; e < TILE * OUTPUT_VECTORS; e += THREADS) {
        const int filter_in_tile = e % OUTPUT_VECTORS * LOADED_FILTERS;
        const int output_in_tile = e / OUTPUT_VECTORS;
        const int row_in_tile = output_in_tile / TILE_COLUMNS;
        const int column_in_tile = output_in_tile % TILE_COLUMNS;
        const int row = FIRST_ROW(tile) + row_in_tile;
        const int column = FIRST_COLUMN(tile) + column_in_tile;
        const int filter = first_filter + filter_in_tile;
        const bool inside = row < POOLED_ROWS && column < POOLED_COLUMNS && filter < FILTERS;
        const long long output =
            ((image * POOLED_ROWS + row) * POOLED_COLUMNS + column) * FILTERS + filter;
        LoadedGradients loaded = {};
        LoadedElements elements = {};
        if (inside) loaded = *(const LoadedGradients*)(output_gradient + output);
        if (inside) elements = *(const LoadedElements*)(argmax + output);
        UNROLLED(k, LOADED_FILTERS) {
            const int element = elements.of[k];
            const bool has_one = inside && element < CUT;
            const int y = row_in_tile * CELL_HEIGHT + ELEMENT_ROW(element);
            const int x = column_in_tile * CELL_WIDTH + ELEMENT_COLUMN(element);
            const int place = output_in_tile * TILE_FILTERS + filter_in_tile + k;
            gradients[place] = has_one ? loaded.of[k] : (REAL)0;
            places[place] = has_one ? (y * REGION_WIDTH + x) * (int)(PIXEL * sizeof(REAL)) : 0;
        }
    }
}

// Writes the sums of slice 0 to a slab.
__device__ __forceinline__ void store_slab(REAL* slab, const REAL* sums)
{
    if (threadIdx.x < SLICE_THREADS)
        UNROLLED(i, SUMS) slab[i * SLICE_THREADS + threadIdx.x] = sums[i];
}

// The sums of `count` slabs, `stride` elements apart, shared out over the slices.
__device__ __forceinline__ void add_slabs(
    REAL* sums, const REAL* slabs, int count, int stride, REAL* memory)
{
    const REAL* of_thread = slabs + threadIdx.x % SLICE_THREADS;
    UNROLLED(i, SUMS) sums[i] = 0;
#pragma unroll SLABS_AT_ONCE
    for (int slab = threadIdx.x / SLICE_THREADS; slab < count; slab += SLICES)
        UNROLLED(i, SUMS) sums[i] += of_thread[(long long)slab * stride + i * SLICE_THREADS];
    add_slices(sums, SUMS, SLICE_THREADS, memory);
}

// Adds up the sums of all blocks that have the same filters and channels. Whether this block is the
// last of them, and so has the result.
__device__ __forceinline__ bool add_blocks(
    REAL* sums, REAL* slabs, unsigned* tickets, int group_slabs, REAL* memory)
{
    const int count = gridDim.x;
    const int groups = (count + group_slabs - 1) / group_slabs;
    const int group = blockIdx.x / group_slabs;
    const int size = min(group_slabs, count - group * group_slabs);
    const int tile = blockIdx.z * gridDim.y + blockIdx.y;
    REAL* of_tile = slabs + (long long)tile * count * SLAB;
    REAL* of_group = of_tile + (long long)group * group_slabs * SLAB;

    store_slab(of_tile + (long long)blockIdx.x * SLAB, sums);
    if (!is_last_block(tickets + tile * groups + group, size)) return false;
    add_slabs(sums, of_group, size, SLAB, memory);
    if (groups == 1) return true;
    store_slab(of_group, sums);
    if (!is_last_block(tickets + gridDim.y * gridDim.z * groups + tile, groups)) return false;
    add_slabs(sums, of_tile, groups, group_slabs * SLAB, memory);
    return true;
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) pooled_kernel_gradient(
    const REAL* __restrict__ x,
    const unsigned char* __restrict__ bytes,
    const long long* __restrict__ indices,
    const REAL* __restrict__ output_gradient,
    const unsigned char* __restrict__ argmax,
    REAL* __restrict__ kernel_gradient,
    REAL* __restrict__ bias_gradient,
    REAL* slabs,
    unsigned* tickets,
    long long images,
    long long slab_tiles,
    int group_slabs)
{
    __shared__ __align__(16) REAL memory[MEMORY];
    __shared__ unsigned short places[TILE_GRADIENTS];
    REAL* region = memory;
    REAL* gradients = memory + REGION;
    const int filter = threadIdx.x % TILE_FILTERS;
    const int first_channel = threadIdx.x / TILE_FILTERS % CHANNEL_GROUPS * THREAD_CHANNELS;
    const int slice = threadIdx.x / SLICE_THREADS;
    const char* of_channels = (const char*)(region + first_channel);  // of the first pixel
    const long long first = blockIdx.x * slab_tiles;
    const long long end = min(first + slab_tiles, images * TILES);

    REAL sums[SUMS] = {};  // the last is that of the bias
    for (long long t = first; t < end; t++) {
        __syncthreads();  // before the memory is overwritten
        load_region(
            region, {x, bytes, indices}, t / TILES, t % TILES, blockIdx.z * TILE_CHANNELS);
        load_gradients(
            gradients, places, output_gradient, argmax, t / TILES, t % TILES,
            blockIdx.y * TILE_FILTERS);
        __syncthreads();
#pragma unroll UNROLL
        for (int o = slice; o < TILE; o += SLICES) {
            const REAL gradient = gradients[o * TILE_FILTERS + filter];
            const char* pixels = of_channels + places[o * TILE_FILTERS + filter];
            UNROLLED(tap, TAPS) {
                const int offset = (TAP_ROW(tap) * REGION_WIDTH + TAP_COLUMN(tap)) * PIXEL;
                const Pixel pixel = *(const Pixel*)((const REAL*)pixels + offset);
                UNROLLED(c, THREAD_CHANNELS)
                    sums[tap * THREAD_CHANNELS + c] += gradient * pixel.of[c];
            }
            sums[SUMS - 1] += gradient;
        }
    }
    add_slices(sums, SUMS, SLICE_THREADS, memory);

    if (slabs != nullptr && !add_blocks(sums, slabs, tickets, group_slabs, memory)) return;

    const int own_filter = blockIdx.y * TILE_FILTERS + filter;
    if (slice != 0 || own_filter >= FILTERS) return;
    UNROLLED(i, SUMS - 1) {
        const int channel = blockIdx.z * TILE_CHANNELS + first_channel + i % THREAD_CHANNELS;
        const int weight = (i / THREAD_CHANNELS * CHANNELS + channel) * FILTERS + own_filter;
        if (channel < CHANNELS) kernel_gradient[weight] = sums[i];
    }
    if (blockIdx.z == 0 && first_channel == 0) bias_gradient[own_filter] = sums[SUMS - 1];
}
