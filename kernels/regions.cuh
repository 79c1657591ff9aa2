// A block works on a tile of TILE_ROWS x TILE_COLUMNS pooled outputs of an image, whose patches form
// a region of pixels. TILE_CHANNELS channels of it are brought to shared memory, with zeros for the
// padding and for channels beyond the last, PIXEL elements from pixel to pixel: vector by vector,
// which threads load in turns.

#include "patches.cuh"
#include "pixels.cuh"

#define TILE (TILE_ROWS * TILE_COLUMNS)
#define REGION_HEIGHT ((TILE_ROWS - 1) * CELL_HEIGHT + PATCH_HEIGHT)
#define REGION_WIDTH ((TILE_COLUMNS - 1) * CELL_WIDTH + PATCH_WIDTH)
#define REGION (REGION_HEIGHT * REGION_WIDTH * PIXEL)

// The first pooled row and column of a tile.
#define FIRST_ROW(tile) ((tile) / TILES_ACROSS * TILE_ROWS)
#define FIRST_COLUMN(tile) ((tile) % TILES_ACROSS * TILE_COLUMNS)

// Channels of a pixel that are read at once.
#define REGION_CHANNELS AT_ONCE(TILE_CHANNELS, CHANNELS)
#define PIXEL_VECTORS (TILE_CHANNELS / REGION_CHANNELS)

struct __align__(REGION_CHANNELS * sizeof(REAL)) RegionChannels {
    REAL of[REGION_CHANNELS];
};

// Where the images of a batch are: one after the other in `x`, or picked by `indices` from the bytes
// of a data set. What is not needed is null.
struct Images {
    const REAL* x;
    const unsigned char* bytes;
    const long long* indices;
};

#define REGION_VECTORS (REGION_HEIGHT * REGION_WIDTH * PIXEL_VECTORS)

// The region of a tile in memory.
struct Region {
    const REAL* pixels;  // those of the image, or null
    const unsigned char* bytes;  // likewise
    int top, left;  // the first row and column
};

__device__ __forceinline__ Region region_of(const Images& images, long long image, int tile)
{
    const long long index = images.indices == nullptr ? image : images.indices[image];
    const long long first = index * (IMAGE_HEIGHT * IMAGE_WIDTH * CHANNELS);
    return {
        images.x == nullptr ? nullptr : images.x + first,
        images.bytes == nullptr ? nullptr : images.bytes + first,
        FIRST_ROW(tile) * CELL_HEIGHT - PADDING_TOP,
        FIRST_COLUMN(tile) * CELL_WIDTH - PADDING_LEFT,
    };
}

// Vector e of the channels from `first_channel` on; zeros outside of the image.
__device__ __forceinline__ RegionChannels load_channels(const Region& from, int first_channel, int e)
{
    const int pixel = e / PIXEL_VECTORS;
    const int channel = first_channel + e % PIXEL_VECTORS * REGION_CHANNELS;
    const int row = from.top + pixel / REGION_WIDTH;
    const int column = from.left + pixel % REGION_WIDTH;
    const bool inside = row >= 0 && row < IMAGE_HEIGHT && column >= 0 && column < IMAGE_WIDTH &&
                        channel < CHANNELS;
    const int place = (row * IMAGE_WIDTH + column) * CHANNELS + channel;
    RegionChannels channels = {};
    if (inside && from.pixels != nullptr)
        channels = *(const RegionChannels*)(from.pixels + place);
    if (inside && from.bytes != nullptr)
        UNROLLED(k, REGION_CHANNELS) channels.of[k] = normalized(from.bytes[place + k]);
    return channels;
}

__device__ __forceinline__ void store_channels(REAL* region, const RegionChannels& channels, int e)
{
    REAL* to = region + e / PIXEL_VECTORS * PIXEL + e % PIXEL_VECTORS * REGION_CHANNELS;
    UNROLLED(k, REGION_CHANNELS) to[k] = channels.of[k];
}

__device__ __forceinline__ void load_region(
    REAL* region, const Images& images, long long image, int tile, int first_channel)
{
    const Region from = region_of(images, image, tile);
#pragma unroll 4
    for (int e = threadIdx.x; e < REGION_VECTORS; e += THREADS)
        store_channels(region, load_channels(from, first_channel, e), e);
}

// The first SLICES slices of `threads` threads share out the terms of the same sums. This adds up the
// `count` sums of each thread over the slices, in halves: in an order that the shape alone decides.
// Slice 0 has the results. `memory` holds `count` reals for each thread of half of the slices.
__device__ __forceinline__ void add_slices(REAL* sums, int count, int threads, REAL* memory)
{
    const int slice = threadIdx.x / threads;
#pragma unroll
    for (int half = SLICES / 2; half > 0; half /= 2) {
        REAL* of_thread = memory + threadIdx.x % (half * threads);
        __syncthreads();  // before the memory is overwritten
        if (slice >= half && slice < 2 * half)
            UNROLLED(i, count) of_thread[i * half * threads] = sums[i];
        __syncthreads();
        if (slice < half) UNROLLED(i, count) sums[i] += of_thread[i * half * threads];
    }
}
