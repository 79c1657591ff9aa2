// Each channel times a factor of its own.
//
// scale_shift:    out[i] = x[i] * scale[channel] + offset[channel], or without the offset if it is
//                 null, for element i of any image
// scale_channels: out[image, p] = x[image, p] * factors[image, channel]
//
// The channels are innermost: those of an element are its number modulo `channels`.
//
// Index map: as in elements.cuh, scale_shift over the elements of all images, scale_channels with
// block (image, part) over those of an image. A block takes the remainder of its first element, so
// that a thread's are of 32 bits.
//
// Bytes per output: sizeof(REAL) read, and as much written; the factors come from cache. Operations
// per output: 1 multiplication, and scale_shift 1 addition.

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) scale_shift(
    const REAL* __restrict__ x,
    const REAL* __restrict__ scale,
    const REAL* __restrict__ offset,
    REAL* __restrict__ out,
    long long size,
    unsigned channels)
{
    const unsigned first = (long long)blockIdx.x * (THREADS * ITEMS) % channels;
    REAL values[ITEMS];
    EACH_ITEM(k) values[k] = load(x, element(blockIdx.x, k), size);
    EACH_ITEM(k)
    {
        const long long i = element(blockIdx.x, k);
        const unsigned channel = (first + k * THREADS + threadIdx.x) % channels;
        if (i < size)
            out[i] = values[k] * scale[channel] + (offset != nullptr ? offset[channel] : (REAL)0);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) scale_channels(
    const REAL* __restrict__ x,
    const REAL* __restrict__ factors,
    REAL* __restrict__ out,
    long long pixels,
    unsigned channels)
{
    const unsigned first = (long long)blockIdx.y * (THREADS * ITEMS) % channels;
    const REAL* image = x + blockIdx.x * pixels;
    const REAL* of_image = factors + (long long)blockIdx.x * channels;
    REAL values[ITEMS];
    EACH_ITEM(k) values[k] = load(image, element(blockIdx.y, k), pixels);
    EACH_ITEM(k)
    {
        const long long p = element(blockIdx.y, k);
        const unsigned channel = (first + k * THREADS + threadIdx.x) % channels;
        if (p < pixels) out[blockIdx.x * pixels + p] = values[k] * of_image[channel];
    }
}
