// Arrays with shapes and strides, as kernels for single elements and reductions see them.
#pragma once

#include <cupy/complex.cuh>
#include <cupy/float16.cuh>

#ifndef M_PI  // which CuPy's header has as well
#define M_PI 3.1415926535897932384626433832795
#endif

// The shape of an array, and the bytes from one element to the next, from what the host wrote.
template <int dimensions> struct Layout {
    ptrdiff_t size;
    ptrdiff_t shape[dimensions ? dimensions : 1], strides[dimensions ? dimensions : 1];

    // Not checked, since no program can get it wrong, and each thread would take the time.
    __attribute__((no_sanitize("thread"))) __device__ explicit Layout(const long long* numbers)
        : size(numbers[0])
    {
        for (int d = 0; d < dimensions; d++) {
            shape[d] = numbers[1 + d];
            strides[d] = numbers[1 + dimensions + d];
        }
    }
};

// Indices of one dimension after the other, the last one fastest.
template <int dimensions> class CIndexer {
public:
    static const int ndim = dimensions;

    __device__ explicit CIndexer(const long long* numbers) : layout(numbers) {}
    __device__ ptrdiff_t size() const { return layout.size; }
    __device__ const ptrdiff_t* shape() const { return layout.shape; }
    __device__ const ptrdiff_t* get() const { return index; }
    __device__ void set(ptrdiff_t i)
    {
        for (int d = dimensions - 1; d >= 0; d--) {
            index[d] = i % layout.shape[d];
            i /= layout.shape[d];
        }
    }

private:
    Layout<dimensions> layout;
    ptrdiff_t index[dimensions ? dimensions : 1];
};

template <typename T, int dimensions> class CArray {
public:
    static const int ndim = dimensions;

    // `memory` begins `numbers[0]` bytes before the first element: there are negative strides.
    __device__ CArray(T* memory, const long long* numbers)
        : data((T*)((char*)memory + numbers[0])), layout(numbers + 1) {}
    __device__ ptrdiff_t size() const { return layout.size; }
    __device__ const ptrdiff_t* shape() const { return layout.shape; }
    __device__ const ptrdiff_t* strides() const { return layout.strides; }
    __device__ T* begin_ptr() const { return data; }

    // An element by its index in each dimension, or by its place in C order.
    template <typename Index> __device__ T& operator[](const Index* index) const
    {
        char* place = (char*)data;
        for (int d = 0; d < dimensions; d++) place += index[d] * layout.strides[d];
        return *(T*)place;
    }
    __device__ T& operator[](ptrdiff_t i) const
    {
        char* place = (char*)data;
        for (int d = dimensions - 1; d >= 0; d--) {
            place += (d ? i % layout.shape[d] : i) * layout.strides[d];
            i /= layout.shape[d] ? layout.shape[d] : 1;
        }
        return *(T*)place;
    }

private:
    T* data;
    Layout<dimensions> layout;
};
