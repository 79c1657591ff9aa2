// What stands beyond the edges of images, and where places between pixels are.

#define SHIFT_BITS 16  // of the part of a pixel in a shift, or a place

// Fill modes, as FILL_MODES of gpucnn/backends/ops/images/resampling.py numbers them; 3 is to wrap around.
#define CONSTANT 0
#define NEAREST 1
#define REFLECT 2

// The pixel of the image that stands at a place along an axis; -1 for the fill value.
__device__ __forceinline__ int within(int place, int size, int fill_mode)
{
    if (fill_mode == CONSTANT) return place >= 0 && place < size ? place : -1;
    if (fill_mode == NEAREST) return min(max(place, 0), size - 1);
    const int period = fill_mode == REFLECT ? 2 * size : size;
    const int folded = (place % period + period) % period;
    return folded < size ? folded : period - 1 - folded;
}

// The part of a pixel by which a shift, or a place, is beyond the whole one before it.
__device__ __forceinline__ REAL part_of(int place)
{
    return (REAL)(place & ((1 << SHIFT_BITS) - 1)) / (1 << SHIFT_BITS);
}
