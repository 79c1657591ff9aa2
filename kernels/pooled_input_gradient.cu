// The gradient of the input of conv_relu_pool.cu.
//
// Each output passes its gradient, times the kernel, to the pixels that its argmax saw:
//
// input_gradient[image, y, x, channel] = sum over the outputs and filters, and the taps (i, j) that
//     see the pixel from the argmax, of output_gradient[output, filter]
//                                       * kernel[i, j, channel, filter];
// an output whose argmax is CUT has no gradient.
//
// Index map: block (image, tile, z) computes a tile of TILE_ROWS x TILE_COLUMNS cells of pixels, see
// patches.cuh, of LANES channels. Thread t takes the THREAD_CHANNELS channels from
// t % LANE_GROUPS * THREAD_CHANNELS on, and of the outputs whose patches reach the tile the outputs
// t / LANE_GROUPS, + SLOTS, ...: THREAD_OUTPUTS, whose patches it keeps in registers. The filters of
// an output are listed by their argmax, each with its gradient: so a thread that goes through a list
// knows where in the patch its pixels are without a branch, and positions that are no argmax cost
// nothing. Weights and lists are in shared memory, TILE_FILTERS filters at once. In the end the
// patches are added up in shared memory, those that do not overlap together. The lists are in the
// order of the filters: so the order of each sum is fixed.
//
// Bytes per pixel and channel: sizeof(REAL) written. Read mostly from cache: each block reads the
// kernel of its channels, and the gradients and argmaxes of the outputs whose patches reach its tile.
// Operations per output, filter and channel: TAPS multiply-adds, for each of which a weight of shared
// memory is read; and as many more as the outputs whose patches reach several tiles.

#include "patches.cuh"

// In rows and columns of outputs, how far patches reach beyond their first cell.
#define HALO_ROWS ((PATCH_HEIGHT - 1) / CELL_HEIGHT)
#define HALO_COLUMNS ((PATCH_WIDTH - 1) / CELL_WIDTH)

#define LANE_GROUPS (LANES / THREAD_CHANNELS)
#define SLOTS (THREADS / LANE_GROUPS)
#define THREAD_OUTPUTS ((TILE_OUTPUTS + SLOTS - 1) / SLOTS)
#define REGION_HEIGHT (TILE_ROWS * CELL_HEIGHT)
#define REGION_WIDTH (TILE_COLUMNS * CELL_WIDTH)
#define REGION (REGION_HEIGHT * REGION_WIDTH * LANES)

// From filter to filter: more than it has weights, so that a warp that writes the weights of
// consecutive filters writes to different banks, as far as threads read vectors of them.
#define FILTER (TAPS * LANES + THREAD_CHANNELS)
#define WEIGHTS (TILE_FILTERS * FILTER)
#define MEMORY LARGER(WEIGHTS, REGION)

#define WARPS (THREADS / 32)
#define WARP_OUTPUTS ((TILE_OUTPUTS + WARPS - 1) / WARPS)
#define WARP_FILTERS ((TILE_FILTERS + 31) / 32)
#define ALL_LANES 0xffffffffu

#define VECTOR (THREAD_CHANNELS * sizeof(REAL))

// Some channels, which are read at once.
struct __align__(VECTOR < 16 ? VECTOR : 16) Channels {
    REAL of[THREAD_CHANNELS];
};

// The filters that have a gradient in each output of a tile, by their argmax: those of element k are
// from ends[output][k - 1], or 0 for the first, to ends[output][k]. Of each its gradient, and the
// place of its weights: in bytes, which a thread adds to an address without multiplying.
struct Lists {
    REAL gradients[TILE_OUTPUTS][TILE_FILTERS];
    unsigned short places[TILE_OUTPUTS][TILE_FILTERS];
    unsigned char ends[TILE_OUTPUTS][POOL];
};

// The outputs whose patches reach a tile.
struct Outputs {
    int first_row;
    int first_column;
    int columns;
    int count;
};

// weights[filter][tap][channel]: of the filters from `first_filter` and the channels from
// `first_channel` on, zeros beyond the last.
__device__ __forceinline__ void load_weights(
    REAL* weights, const REAL* __restrict__ kernel, int first_filter, int first_channel)
{
    const int filter = threadIdx.x % TILE_FILTERS;
    const bool is_filter = first_filter + filter < FILTERS;
#pragma unroll 2
    for (int c = threadIdx.x / TILE_FILTERS; c < LANES; c += THREADS / TILE_FILTERS) {
        const bool inside = is_filter && first_channel + c < CHANNELS;
        const REAL* of_channel = kernel + (first_channel + c) * FILTERS + first_filter + filter;
        UNROLLED(tap, TAPS)
            weights[filter * FILTER + tap * LANES + c] =
                inside ? of_channel[tap * CHANNELS * FILTERS] : (REAL)0;
    }
}

// List the filters from `first_filter` on: a warp takes an output, each lane some filters.
__device__ __forceinline__ void list_filters(
    Lists* lists,
    const REAL* __restrict__ output_gradient,
    const unsigned char* __restrict__ argmax,
    long long image,
    Outputs outputs,
    int first_filter)
{
    const int lane = threadIdx.x % 32;
    REAL gradients[WARP_OUTPUTS][WARP_FILTERS];
    int elements[WARP_OUTPUTS][WARP_FILTERS];
    UNROLLED(i, WARP_OUTPUTS) {
        const int o = i * WARPS + threadIdx.x / 32;
        const int row = outputs.first_row + o / outputs.columns;
        const int column = outputs.first_column + o % outputs.columns;
        const long long output = (image * POOLED_ROWS + row) * POOLED_COLUMNS + column;
        UNROLLED(j, WARP_FILTERS) {
            const int filter = j * 32 + lane;
            const bool inside = o < outputs.count && filter < TILE_FILTERS &&
                                first_filter + filter < FILTERS;
            const long long place = output * FILTERS + first_filter + filter;
            gradients[i][j] = inside ? output_gradient[place] : (REAL)0;
            elements[i][j] = inside ? argmax[place] : CUT;
        }
    }
    UNROLLED(i, WARP_OUTPUTS) {
        const int o = i * WARPS + threadIdx.x / 32;
        if (o >= outputs.count) break;  // all lanes of the warp alike
        int end = 0;
        UNROLLED(k, POOL) {
            UNROLLED(j, WARP_FILTERS) {
                const bool listed = elements[i][j] == k;
                const unsigned mask = __ballot_sync(ALL_LANES, listed);
                const int place = end + __popc(mask & ((1u << lane) - 1));
                if (listed) {
                    lists->gradients[o][place] = gradients[i][j];
                    lists->places[o][place] = (j * 32 + lane) * (int)(FILTER * sizeof(REAL));
                }
                end += __popc(mask);
            }
            if (lane == 0) lists->ends[o][k] = end;
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) pooled_input_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ kernel,
    const unsigned char* __restrict__ argmax,
    REAL* __restrict__ input_gradient)
{
    __shared__ __align__(16) REAL memory[MEMORY];
    __shared__ Lists lists;
    const long long image = blockIdx.x;
    const int first_of_lane = threadIdx.x % LANE_GROUPS * THREAD_CHANNELS;
    const int slot = threadIdx.x / LANE_GROUPS;
    const int first_channel = blockIdx.z * LANES;
    const char* of_lane = (const char*)(memory + first_of_lane);  // the first of its weights

    // The cells of the tile, and the outputs whose patches reach it.
    const int cell_row = blockIdx.y / TILES_ACROSS * TILE_ROWS;
    const int cell_column = blockIdx.y % TILES_ACROSS * TILE_COLUMNS;
    Outputs outputs;
    outputs.first_row = max(cell_row - HALO_ROWS, 0);
    outputs.first_column = max(cell_column - HALO_COLUMNS, 0);
    outputs.columns = max(min(cell_column + TILE_COLUMNS, POOLED_COLUMNS) - outputs.first_column, 0);
    outputs.count =
        max(min(cell_row + TILE_ROWS, POOLED_ROWS) - outputs.first_row, 0) * outputs.columns;
    outputs.columns = max(outputs.columns, 1);  // a divisor, also where there are no outputs

    Channels patches[THREAD_OUTPUTS][PATCH_HEIGHT][PATCH_WIDTH] = {};
    for (int first = 0; first < FILTERS; first += TILE_FILTERS) {
        __syncthreads();  // before the memory is overwritten
        load_weights(memory, kernel, first, first_channel);
        list_filters(&lists, output_gradient, argmax, image, outputs, first);
        __syncthreads();
        UNROLLED(p, THREAD_OUTPUTS) {
            const int o = slot + p * SLOTS;
            if (o >= outputs.count) break;
            int i = 0;
            UNROLLED(k, POOL) {
                const int end = lists.ends[o][k];
#pragma unroll 2
                for (; i < end; i++) {
                    const REAL gradient = lists.gradients[o][i];
                    const REAL* weights = (const REAL*)(of_lane + lists.places[o][i]);
                    UNROLLED(tap, TAPS) {
                        const Channels weight = *(const Channels*)(weights + tap * LANES);
                        UNROLLED(c, THREAD_CHANNELS)
                            patches[p][ELEMENT_ROW(k) + TAP_ROW(tap)]
                                   [ELEMENT_COLUMN(k) + TAP_COLUMN(tap)]
                                       .of[c] += gradient * weight.of[c];
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
            if (o >= outputs.count) continue;
            const int row = outputs.first_row + o / outputs.columns;
            const int column = outputs.first_column + o % outputs.columns;
            const int own_turn =
                row % (HALO_ROWS + 1) * (HALO_COLUMNS + 1) + column % (HALO_COLUMNS + 1);
            if (own_turn != turn) continue;
            UNROLLED(i, PATCH_HEIGHT) {
                UNROLLED(j, PATCH_WIDTH) {
                    const int y = (row - cell_row) * CELL_HEIGHT + i;
                    const int x = (column - cell_column) * CELL_WIDTH + j;
                    if (y >= 0 && y < REGION_HEIGHT && x >= 0 && x < REGION_WIDTH)
                        UNROLLED(c, THREAD_CHANNELS)
                            region[(y * REGION_WIDTH + x) * LANES + first_of_lane + c] +=
                                patches[p][i][j].of[c];
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
