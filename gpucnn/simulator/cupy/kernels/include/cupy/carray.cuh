// Arrays with shapes and strides, as kernels for single elements and reductions see them.
#pragma once

#include <cuda_fp16.h>
#include <cupy/complex.cuh>

#ifndef M_PI  // which CuPy's header has as well
#define M_PI 3.1415926535897932384626433832795
#endif

// The shape of an array, and the bytes from one element to the next. It is filled from the host.
template <int dimensions> struct Layout {
    ptrdiff_t size;
    ptrdiff_t shape[dimensions ? dimensions : 1], strides[dimensions ? dimensions : 1];
};

// Indices of one dimension after the other, the last one fastest.
template <int dimensions> class CIndexer {
public:
    static const int ndim = dimensions;

    __device__ explicit CIndexer(const Layout<dimensions>& layout) : layout(layout) {}
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

    __device__ CArray(T* data, const Layout<dimensions>& layout) : data(data), layout(layout) {}
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
