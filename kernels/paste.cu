// Images of which a rectangle is that of others.
//
// out[image, row, column, channel] = others[image, row, column, channel] inside the rectangle, else
// x[image, row, column, channel]. Along the rows it begins at places[image, 0] / 2^16 of what its
// length leaves of them, the length being ratios[drawn[image, 0]] / 2^16 of them; likewise along the
// columns, with number 1 of both, or with the ratio of the rows if it `is_alike`. A row is inside if
// its number is: at least the start, and below the end. shares[0, image] is the share of the pixels
// outside, and shares[1, image] that of those inside.
//
// Index map: block (image, part) writes a part of an image, shared out among its threads as in
// elements.cuh; the first part also writes the shares.
//
// Bytes per output: sizeof(REAL) read, of x or of others, sizeof(REAL) written. Operations per output:
// none of reals.

#include "elements.cuh"

#define SHIFT_BITS 16

// The pixels along an axis from `start`, below `end`.
struct Span {
    int start;
    int end;
};

// Those of a length and a place in units of 2^-16 of the axis, and of what is left of it.
__device__ __forceinline__ Span span(int ratio, int place, int size)
{
    const long long length = (long long)ratio * size;
    const long long start = place * (((long long)size << SHIFT_BITS) - length) >> SHIFT_BITS;
    const long long before = (1 << SHIFT_BITS) - 1;
    return {(int)((start + before) >> SHIFT_BITS), (int)((start + length + before) >> SHIFT_BITS)};
}

extern "C" __global__ void __launch_bounds__(THREADS) paste(
    const REAL* __restrict__ x,
    const REAL* __restrict__ others,
    const int* __restrict__ drawn,
    const int* __restrict__ places,
    const int* __restrict__ ratios,
    REAL* __restrict__ out,
    REAL* __restrict__ shares,
    int rows,
    int columns,
    int channels,
    long long images,
    int is_alike)
{
    const long long image = blockIdx.x;
    const int of_rows = drawn[2 * image], of_columns = drawn[2 * image + (is_alike ? 0 : 1)];
    const Span down = span(ratios[of_rows], places[2 * image], rows);
    const Span right = span(ratios[of_columns], places[2 * image + 1], columns);
    const unsigned line = columns * channels, size = rows * line;
    if (shares != nullptr && blockIdx.y == 0 && threadIdx.x == 0) {
        const int inside = (down.end - down.start) * (right.end - right.start);
        shares[image] = (REAL)(rows * columns - inside) / (rows * columns);
        shares[images + image] = (REAL)inside / (rows * columns);
    }
    REAL values[ITEMS];
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        const int row = e / line, column = e % line / channels;
        const bool is_inside = row >= down.start && row < down.end && column >= right.start &&
                               column < right.end;
        values[k] = load((is_inside ? others : x) + image * size, e, size);
    }
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        if (e < size) out[image * size + e] = values[k];
    }
}
