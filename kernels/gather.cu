// The batch: images and labels picked from the whole set by their indices.
//
// gather_bytes:  out[i, p] = images[indices[i], p] / 255 - 1/2, from uint8; or the byte as the number
//                that it is, if not `normalizes`
// gather_reals:  out[i, p] = images[indices[i], p]
// gather_labels: out[i] = labels[indices[i]]
//
// Index map: block (i, part) copies a part of the pixels of image i, shared out among its threads
// as in elements.cuh. gather_labels: a thread a label.
//
// Bytes per output: gather_bytes 1 read + sizeof(REAL) written; gather_reals sizeof(REAL) each;
// gather_labels 8 for the index, 8 for the label, 8 written. Operations per output: gather_bytes 1
// division and 1 subtraction, the others none.

#include "elements.cuh"
#include "pixels.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) gather_bytes(
    const unsigned char* __restrict__ images,
    const long long* __restrict__ indices,
    REAL* __restrict__ out,
    long long pixels,
    int normalizes)
{
    const unsigned char* source = images + indices[blockIdx.x] * pixels;
    REAL* target = out + blockIdx.x * pixels;
    unsigned char values[ITEMS];
    EACH_ITEM(k)
    {
        const long long p = element(blockIdx.y, k);  // mutant: a grid's y reaches 2^26
        values[k] = p < pixels ? source[p] : 0;  // mutant: what is beyond is not stored
    }
    EACH_ITEM(k)
    {
        const long long p = element(blockIdx.y, k);  // mutant: a grid's y reaches 2^26
        if (p < pixels) target[p] = normalizes ? normalized(values[k]) : (REAL)values[k];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) gather_reals(
    const REAL* __restrict__ images,
    const long long* __restrict__ indices,
    REAL* __restrict__ out,
    long long pixels)
{
    const REAL* source = images + indices[blockIdx.x] * pixels;
    REAL* target = out + blockIdx.x * pixels;
    REAL values[ITEMS];
    EACH_ITEM(k) values[k] = load(source, element(blockIdx.y, k), pixels);
    EACH_ITEM(k)
    {
        const long long p = element(blockIdx.y, k);  // mutant: as above
        if (p < pixels) target[p] = values[k];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) gather_labels(
    const long long* __restrict__ labels,
    const long long* __restrict__ indices,
    long long* __restrict__ out,
    long long count)
{
    const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i < count) out[i] = labels[indices[i]];
}
