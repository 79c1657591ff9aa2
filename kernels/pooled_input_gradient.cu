// The gradient of the input of conv_relu_pool.cu.
//
// Each output passes its gradient, times the kernel, to the pixels that its argmax saw:
//
// input_gradient[image, y, x, channel] = sum over the outputs and filters, and the taps (i, j) that
//     see the pixel from the argmax, of output_gradient[output, filter]
//                                       * kernel[i, j, channel, filter];
// an output whose argmax is CUT has no gradient.
//
// Index map: block (image, tile, z) computes a tile of TILE_ROWS x TILE_COLUMNS cells of pixels,
// see patches.cuh, of LANES channels. Thread t takes channel t % LANES, and of the outputs whose
// patches reach the tile the outputs t / LANES, + SLOTS, ...: THREAD_OUTPUTS, whose patches it keeps
// in registers. For a filter it reads the weights of all taps once, and adds them, times its
// gradient, to each patch, from the argmax on. That is the same in all lanes of a warp if LANES is
// 32, so it costs a branch, and each position that is no argmax no multiply-add. Weights and
// gradients go through shared memory, TILE_FILTERS filters at once. In the end the patches are added
// up in shared memory, those that do not overlap together: so the order of each sum is fixed.
//
// Bytes per pixel and channel: sizeof(REAL) written; read mostly from cache. Operations per output,
// filter and channel: TAPS multiply-adds, for each of which 1 / THREAD_OUTPUTS weights of shared
// memory are read; and as many more as the outputs whose patches reach several tiles.

#include "patches.cuh"

// In rows and columns of outputs, how far patches reach beyond their first cell.
#define HALO_ROWS ((PATCH_HEIGHT - 1) / CELL_HEIGHT)
#define HALO_COLUMNS ((PATCH_WIDTH - 1) / CELL_WIDTH)

#define SLOTS (THREADS / LANES)
#define OUTPUTS (SLOTS * THREAD_OUTPUTS)
#define REGION_HEIGHT (TILE_ROWS * CELL_HEIGHT)
#define REGION_WIDTH (TILE_COLUMNS * CELL_WIDTH)
#define REGION (REGION_HEIGHT * REGION_WIDTH * LANES)

// From filter to filter: one more than it has weights, so that a warp that writes the weights of
// consecutive filters writes to different banks.
#define FILTER (TAPS * LANES + 1)
#define WEIGHTS (TILE_FILTERS * FILTER)
#define MEMORY LARGER(WEIGHTS, REGION)

// weights[filter][tap][channel]: of the filters from `first_filter` and the channels from
// `first_channel` on, zeros beyond the last.
__device__ __forceinline__ void load_weights(
    REAL* weights, const REAL* __restrict__ kernel, int first_filter, int first_channel)
{
#pragma unroll 8
    for (int e = threadIdx.x; e < TILE_FILTERS * TAPS * LANES; e += THREADS) {
        const int filter = e % TILE_FILTERS;
        const int channel = e / TILE_FILTERS % LANES;
        const int tap = e / (TILE_FILTERS * LANES);
        const bool inside = first_filter + filter < FILTERS && first_channel + channel < CHANNELS;
        const int weight = (tap * CHANNELS + first_channel + channel) * FILTERS;
        weights[filter * FILTER + tap * LANES + channel] =
            inside ? kernel[weight + first_filter + filter] : (REAL)0;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) pooled_input_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ kernel,
    const unsigned char* __restrict__ argmax,
    REAL* __restrict__ input_gradient)
{
    __shared__ REAL memory[MEMORY];
    __shared__ REAL gradients[OUTPUTS * TILE_FILTERS];
    __shared__ unsigned char elements[OUTPUTS * TILE_FILTERS];
    const long long image = blockIdx.x;
    const int lane = threadIdx.x % LANES;
    const int slot = threadIdx.x / LANES;
    const int first_channel = blockIdx.z * LANES;

    // The cells of the tile, and the outputs whose patches reach it.
    const int cell_row = blockIdx.y / TILES_ACROSS * TILE_ROWS;
    const int cell_column = blockIdx.y % TILES_ACROSS * TILE_COLUMNS;
    const int first_row = max(cell_row - HALO_ROWS, 0);
    const int first_column = max(cell_column - HALO_COLUMNS, 0);
    const int rows = max(min(cell_row + TILE_ROWS, POOLED_ROWS) - first_row, 0);
    const int columns = max(min(cell_column + TILE_COLUMNS, POOLED_COLUMNS) - first_column, 0);
    const int outputs = rows * columns;

    REAL patches[THREAD_OUTPUTS][PATCH_HEIGHT][PATCH_WIDTH] = {};
    for (int first = 0; first < FILTERS; first += TILE_FILTERS) {
        __syncthreads();  // before the memory is overwritten
        load_weights(memory, kernel, first, first_channel);
        for (int e = threadIdx.x; e < outputs * TILE_FILTERS; e += THREADS) {
            const int row = first_row + e / TILE_FILTERS / columns;
            const int column = first_column + e / TILE_FILTERS % columns;
            const int filter = first + e % TILE_FILTERS;
            const long long output =
                ((image * POOLED_ROWS + row) * POOLED_COLUMNS + column) * FILTERS + filter;
            gradients[e] = filter < FILTERS ? output_gradient[output] : (REAL)0;
            elements[e] = filter < FILTERS ? argmax[output] : CUT;
        }
        __syncthreads();
        if (slot < outputs) {
#pragma unroll 1
            for (int f = 0; f < TILE_FILTERS; f++) {
                REAL weights[TAPS];
                UNROLLED(tap, TAPS) weights[tap] = memory[f * FILTER + tap * LANES + lane];
                UNROLLED(p, THREAD_OUTPUTS) {
                    const int e = (slot + p * SLOTS) * TILE_FILTERS + f;
                    const bool works = slot + p * SLOTS < outputs;
                    const int element = works ? elements[e] : CUT;
                    const REAL gradient = works ? gradients[e] : (REAL)0;
                    UNROLLED(k, POOL) {
                        if (element == k) {
                            UNROLLED(tap, TAPS)
                                patches[p][ELEMENT_ROW(k) + tap / WIDTH]
                                       [ELEMENT_COLUMN(k) + tap % WIDTH] += gradient * weights[tap];
                        }
                    }
                }
            }
        }
    }

    REAL* region = memory;
    __syncthreads();  // before the weights are overwritten
    for (int e = threadIdx.x; e < REGION; e += THREADS) region[e] = 0;
    for (int turn = 0; turn < (HALO_ROWS + 1) * (HALO_COLUMNS + 1); turn++) {
        __syncthreads();
        UNROLLED(p, THREAD_OUTPUTS) {
            const int o = slot + p * SLOTS;
            if (o >= outputs) continue;
            const int row = first_row + o / columns;
            const int column = first_column + o % columns;
            const int own_turn =
                row % (HALO_ROWS + 1) * (HALO_COLUMNS + 1) + column % (HALO_COLUMNS + 1);
            if (own_turn != turn) continue;
            UNROLLED(i, PATCH_HEIGHT) {
                UNROLLED(j, PATCH_WIDTH) {
                    const int y = (row - cell_row) * CELL_HEIGHT + i;
                    const int x = (column - cell_column) * CELL_WIDTH + j;
                    if (y >= 0 && y < REGION_HEIGHT && x >= 0 && x < REGION_WIDTH)
                        region[(y * REGION_WIDTH + x) * LANES + lane] += patches[p][i][j];
                }
            }
        }
    }
    __syncthreads();
    REAL* pixels = input_gradient + image * (IMAGE_HEIGHT * IMAGE_WIDTH * CHANNELS);
    for (int e = threadIdx.x; e < REGION; e += THREADS) {
        const int channel = first_channel + e % LANES;
        const int y = cell_row * CELL_HEIGHT - PADDING_TOP + e / LANES / REGION_WIDTH;
        const int x = cell_column * CELL_WIDTH - PADDING_LEFT + e / LANES % REGION_WIDTH;
        if (y >= 0 && y < IMAGE_HEIGHT && x >= 0 && x < IMAGE_WIDTH && channel < CHANNELS)
            pixels[(y * IMAGE_WIDTH + x) * CHANNELS + channel] = region[e];
    }
}
