// CUDA's products of small matrices by a warp.
//
// The elements of a fragment are dealt to the lanes of the warp in their order, row by row: CUDA leaves
// open how. A sum is computed as float (or int, or double), from the accumulator on, in the order of
// k; products of 16 bits are exact in it. A device adds in an order, and with a rounding, of its own.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace nvcuda::wmma {

struct row_major;
struct col_major;
struct matrix_a;
struct matrix_b;
struct accumulator;
enum layout_t { mem_row_major, mem_col_major };
namespace precision {
struct tf32;
}

// What holds an element, and what a sum of products of it is computed in.
template <typename T> struct Element {
    using Storage = T;
    using Sum = float;
};
template <> struct Element<precision::tf32> {
    using Storage = float;
    using Sum = float;
};
template <> struct Element<double> {
    using Storage = double;
    using Sum = double;
};
template <> struct Element<signed char> {
    using Storage = signed char;
    using Sum = int;
};
template <> struct Element<unsigned char> {
    using Storage = unsigned char;
    using Sum = int;
};

template <typename Use, int m, int n, int k> struct Shape {
    static constexpr int rows = m, columns = n;
};
template <int m, int n, int k> struct Shape<matrix_a, m, n, k> {
    static constexpr int rows = m, columns = k;
};
template <int m, int n, int k> struct Shape<matrix_b, m, n, k> {
    static constexpr int rows = k, columns = n;
};

constexpr bool is_shape(int m, int n, int k)
{
    return m * n * k == 8 * 8 * 4 || (m == 16 && n == 16 && (k == 8 || k == 16)) ||
           (m * n == 256 && (m == 8 || m == 32) && k == 16);
}

template <typename Use, int m, int n, int k, typename T, typename Layout = void> class fragment {
    static_assert(is_shape(m, n, k), "CUDA has no product of matrices of these sizes");

public:
    using element_type = T;
    using storage_element_type = typename Element<T>::Storage;
    static constexpr int rows = Shape<Use, m, n, k>::rows, columns = Shape<Use, m, n, k>::columns;
    static constexpr int num_elements = rows * columns / 32;
    static constexpr int num_storage_elements = num_elements;
    storage_element_type x[num_elements];
};

inline float __float_to_tf32(float x)  // to nearest, ties away from zero
{
    const unsigned bits = gpucnn_simulator::bits_as<unsigned>(x);
    return x != x ? x : gpucnn_simulator::bits_as<float>((bits + 0x1000) & ~0x1fffu);
}

// Calls visit(element, row, column) for the running lane's elements.
template <typename Fragment, typename Visit> inline void visit_elements(Fragment& fragment, Visit visit)
{
    for (int i = 0; i < Fragment::num_elements; i++) {
        const int place = 32 * i + gpucnn_simulator::lane;
        visit(fragment.x[i], place / Fragment::columns, place % Fragment::columns);
    }
}

template <typename Fragment, typename T> inline void fill_fragment(Fragment& fragment, const T& value)
{
    for (auto& x : fragment.x) x = typename Fragment::storage_element_type(value);
}

// Memory ---------------------------------------------------------------------------------------

// Waits for the warp, which has to make the call together; that orders nothing.
inline void meet(gpucnn_simulator::Place place) { gpucnn_simulator::vote(place, ~0u, 0); }

template <typename T>
inline void check_matrix(gpucnn_simulator::Place place, const T* address, unsigned stride)
{
    meet(place);
    if ((size_t)address % 16 != 0)  // CUDA asks for 32, which arrays of the host have not
        gpucnn_simulator::fail(
            place, "has an address that is no multiple of 16 bytes: begin the matrix at one");
    if (stride * sizeof(T) % 16 != 0)
        gpucnn_simulator::fail(
            place, "has rows that are no multiple of 16 bytes apart: make them longer");
}

inline size_t offset_of(int row, int column, unsigned stride, layout_t layout)
{
    return layout == mem_row_major ? (size_t)row * stride + column : (size_t)column * stride + row;
}

template <typename Use, int m, int n, int k, typename T, typename Layout>
inline void load_matrix_sync(
    fragment<Use, m, n, k, T, Layout>& fragment, const typename Element<T>::Storage* address,
    unsigned stride, GPUCNN_WHERE)
{
    using namespace gpucnn_simulator;
    check_matrix(GPUCNN_PLACE("load_matrix_sync"), address, stride);
    constexpr layout_t layout = same<Layout, row_major> ? mem_row_major : mem_col_major;
    visit_elements(fragment, [=](auto& x, int row, int column) {
        x = address[offset_of(row, column, stride, layout)];
    });
}
template <int m, int n, int k, typename T>
inline void load_matrix_sync(
    fragment<accumulator, m, n, k, T>& fragment, const T* address, unsigned stride,
    layout_t layout, GPUCNN_WHERE)
{
    check_matrix(GPUCNN_PLACE("load_matrix_sync"), address, stride);
    visit_elements(fragment, [=](T& x, int row, int column) {
        x = address[offset_of(row, column, stride, layout)];
    });
}
template <int m, int n, int k, typename T>
inline void store_matrix_sync(
    T* address, const fragment<accumulator, m, n, k, T>& fragment, unsigned stride,
    layout_t layout, GPUCNN_WHERE)
{
    check_matrix(GPUCNN_PLACE("store_matrix_sync"), address, stride);
    visit_elements(fragment, [=](const T& x, int row, int column) {
        address[offset_of(row, column, stride, layout)] = x;
    });
}

// Products -------------------------------------------------------------------------------------

// The fragments of all lanes, each in the memory of its thread.
template <typename Fragment> class WarpMatrix {
    const Fragment* fragments[32];

public:
    // Lets each lane enter its own one: all do that in the array of the first lane.
    GPUCNN_UNCHECKED WarpMatrix(gpucnn_simulator::Place place, const Fragment& fragment)
    {
        const auto first = (WarpMatrix*)gpucnn_simulator::shuffle(
            place, ~0u, (unsigned long long)this, 0);
        first->fragments[gpucnn_simulator::lane] = &fragment;
        meet(place);
        for (int i = 0; i < 32; i++) fragments[i] = first->fragments[i];
        meet(place);
    }
    GPUCNN_UNCHECKED typename Fragment::storage_element_type at(int row, int column) const
    {
        const int place = row * Fragment::columns + column;
        typename Fragment::storage_element_type value;
        __builtin_memcpy(&value, &fragments[place % 32]->x[place / 32], sizeof(value));
        return value;
    }
};

// As much of a number as is multiplied.
template <typename T> struct Factor {
    template <typename Value> static typename Element<T>::Sum of(Value x) { return x; }
};
template <> struct Factor<precision::tf32> {
    static float of(float x)
    {
        return gpucnn_simulator::bits_as<float>(gpucnn_simulator::bits_as<unsigned>(x) & ~0x1fffu);
    }
};

inline float plus_product(float sum, float x, float y) { return sum + x * y; }
inline double plus_product(double sum, double x, double y) { return fma(x, y, sum); }
inline int plus_product(int sum, int x, int y)
{
    return (int)((unsigned)sum + (unsigned)(x * y));
}

template <
    int m, int n, int k, typename T, typename LayoutA, typename LayoutB, typename D, typename C>
inline void mma_sync(
    fragment<accumulator, m, n, k, D>& d, const fragment<matrix_a, m, n, k, T, LayoutA>& a,
    const fragment<matrix_b, m, n, k, T, LayoutB>& b, const fragment<accumulator, m, n, k, C>& c,
    bool = false, GPUCNN_WHERE)
{
    const auto place = GPUCNN_PLACE("mma_sync");
    const WarpMatrix left(place, a);
    const WarpMatrix right(place, b);
    fragment<accumulator, m, n, k, D> result;
    const auto* added = c.x;
    visit_elements(result, [&](D& x, int row, int column) {
        typename Element<T>::Sum sum = *added++;
        for (int i = 0; i < k; i++)
            sum = plus_product(
                sum, Factor<T>::of(left.at(row, i)), Factor<T>::of(right.at(i, column)));
        x = D(sum);
    });
    meet(place);  // before a lane changes what others read
    d = result;
}

}  // namespace nvcuda::wmma
