// A part of each image along an axis: written to its place in a whole, or taken out of it.
//
// The part of an image consists of lines of `line` consecutive elements, all that follows from the
// axis on. Each lies in a line of `whole_line` elements of the whole, from element `first` on.
//
// store_part: whole[image, e / line * whole_line + first + e % line] = part[image, e]
// take_part:  part[image, e] = whole[image, e / line * whole_line + first + e % line]
//
// Index map: block (image, p) copies THREADS * ITEMS consecutive elements of the part of an image.
// Where all lines begin at multiples of 16 bytes, a thread copies as many at once, next to those of
// its neighbours; elsewhere its elements are those of elements.cuh.
//
// Bytes per element of the part: sizeof(REAL) read, sizeof(REAL) written. Operations: none.

#include "elements.cuh"

#define VECTOR (16 / (int)sizeof(REAL))  // elements of 16 bytes

struct __align__(16) Vector {
    REAL elements[VECTOR];
};

// Where element e of consecutive lines is, in lines that are `from_line_to_line` apart.
__device__ __forceinline__ unsigned place(unsigned e, unsigned line, unsigned from_line_to_line)
{
    return e / line * from_line_to_line + e % line;
}

// Copies this block's share of the `size` elements of lines, which are `from_line` apart where they
// are read, and `to_line` where they are written.
__device__ __forceinline__ void copy_lines(
    const REAL* __restrict__ from,
    unsigned from_line,
    REAL* __restrict__ to,
    unsigned to_line,
    unsigned line,
    unsigned size)
{
    if ((line | from_line | to_line) % VECTOR == 0 && ((size_t)from | (size_t)to) % 16 == 0) {
        _Pragma("unroll") for (int k = 0; k < ITEMS / VECTOR; k++)
        {
            const unsigned e =
                blockIdx.y * (THREADS * ITEMS) + (k * THREADS + threadIdx.x) * VECTOR;
            if (e < size)
                *(Vector*)(to + place(e, line, to_line)) =
                    *(const Vector*)(from + place(e, line, from_line));
        }
        return;
    }
    REAL values[ITEMS];
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        values[k] = e < size ? from[place(e, line, from_line)] : (REAL)0;
    }
    EACH_ITEM(k)
    {
        const unsigned e = element(blockIdx.y, k);
        if (e < size) to[place(e, line, to_line)] = values[k];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) store_part(
    const REAL* __restrict__ part,
    REAL* __restrict__ whole,
    long long pixels,
    long long whole_pixels,
    int line,
    int whole_line,
    int first)
{
    REAL* to = whole + blockIdx.x * whole_pixels + first;
    copy_lines(part + blockIdx.x * pixels, line, to, whole_line, line, pixels);
}

extern "C" __global__ void __launch_bounds__(THREADS) take_part(
    const REAL* __restrict__ whole,
    REAL* __restrict__ part,
    long long pixels,
    long long whole_pixels,
    int line,
    int whole_line,
    int first)
{
    const REAL* from = whole + blockIdx.x * whole_pixels + first;
    copy_lines(from, whole_line, part + blockIdx.x * pixels, line, line, pixels);
}
