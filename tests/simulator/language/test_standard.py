"""What CUDA has of the C++ library, in its own namespace, and its atomic objects."""

import numpy as np
import pytest

from gpucnn.simulator import Module

SOURCE = """
#include <cuda/std/array>
#include <cuda/std/atomic>
#include <cuda/std/cassert>
#include <cuda/std/climits>
#include <cuda/std/cmath>
#include <cuda/std/complex>
#include <cuda/std/cstddef>
#include <cuda/std/cstdint>
#include <cuda/std/functional>
#include <cuda/std/limits>
#include <cuda/std/optional>
#include <cuda/std/tuple>
#include <cuda/std/type_traits>
#include <cuda/std/utility>
#include <cuda/atomic>
__device__ cuda::atomic<int, cuda::thread_scope_device> counter;
__device__ cuda::std::atomic<unsigned> other{7};
template <typename T, cuda::std::enable_if_t<cuda::std::is_integral<T>::value, int> = 0>
__device__ double kind(T) { return 1; }
template <typename T, cuda::std::enable_if_t<cuda::std::is_floating_point_v<T>, int> = 0>
__device__ double kind(T) { return 2; }
extern "C" __global__ void standard(double* out, int* memory)
{
    int k = 0;
    cuda::std::array<double, 3> values = {1, 2, 3};
    for (double each : values) out[k] += each;
    k++;
    out[k++] = kind(3) * 10 + kind(3.0f), out[k++] = cuda::std::numeric_limits<float>::max();
    cuda::std::complex<double> z(3, 4);
    z *= cuda::std::complex<double>(0, 1);
    out[k++] = z.real(), out[k++] = z.imag(), out[k++] = cuda::std::abs(z);
    auto pair = cuda::std::make_tuple(1, 2.5);
    out[k++] = cuda::std::get<0>(pair) + cuda::std::get<1>(pair);
    int a = 1, b = 2;
    cuda::std::swap(a, b);
    out[k++] = 10 * a + b, out[k++] = cuda::std::plus<int>()(a, cuda::std::move(b));
    cuda::std::optional<int> maybe;
    out[k++] = maybe.value_or(5), out[k++] = cuda::std::sqrt(16.0f), out[k++] = CHAR_BIT;
    out[k++] = sizeof(cuda::std::int64_t) + sizeof(cuda::std::size_t);
    counter.fetch_add(2, cuda::std::memory_order_relaxed);
    counter++;
    out[k++] = counter.load() + counter.exchange(0);
    cuda::atomic_ref<int, cuda::thread_scope_block> ref(*memory);
    ref.fetch_max(9, cuda::memory_order_acquire), ref += 2, --ref;
    int expected = 10;
    out[k++] = ref.compare_exchange_strong(expected, 20) + 2 * ref.load();
    out[k++] = other.fetch_xor(2) * 10 + other.load();
    cuda::atomic_thread_fence(cuda::memory_order_release, cuda::thread_scope_device);
}
"""
VECTORS = """
extern "C" __global__ void vectors(float2* pairs, float4* fours)
{
    atomicAdd(pairs, float2{1, 2}), atomicAdd_block(fours, make_float4(1, 2, 3, 4));
}
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_library(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    out, memory = np.zeros(16), np.zeros(1, np.int32)
    Module(SOURCE).get_function("standard")((1,), (1,), (out, memory))
    largest = float(np.finfo(np.float32).max)
    assert out.tolist() == [6, 12, largest, -4, 3, 5, 3.5, 21, 3, 5, 4, 8, 16, 6, 41, 75]
    assert memory.tolist() == [20]


def test_atomics_of_vectors() -> None:
    pairs, fours = np.zeros(2, np.float32), np.ones(4, np.float32)
    Module(VECTORS).get_function("vectors")((3,), (2,), (pairs, fours))
    assert pairs.tolist() == [6, 12]
    assert fours.tolist() == [7, 13, 19, 25]


def test_volatile_atomic_objects_by_one_header() -> None:
    source = """
    #include <cuda/atomic>
    extern "C" __global__ void count(cuda::std::atomic<int>* total, int* out)
    {
        using namespace cuda;
        const volatile atomic<int>* seen = (atomic<int>*)total;
        total->fetch_add(2);
        __syncthreads();
        out[threadIdx.x] = seen->load(memory_order_acquire) + *seen;
    }
    """
    total, out = np.zeros(1, "V4"), np.zeros(32, np.int32)
    Module(source).get_function("count")((1,), (32,), (total, out))
    assert (out == 2 * 64).all()


def test_functions_as_objects() -> None:
    source = """
    #include <nvfunctional>
    __device__ int apply(const nvstd::function<int(int)>& f, int x) { return f(f(x)); }
    extern "C" __global__ void twice(int* x)
    {
        const int step = x[threadIdx.x];
        x[threadIdx.x] = apply([step](int i) { return 3 * i + step; }, 1);
    }
    """
    x = np.arange(8, dtype=np.int32)
    Module(source).get_function("twice")((1,), (8,), (x,))
    np.testing.assert_array_equal(x, 9 + 4 * np.arange(8))
