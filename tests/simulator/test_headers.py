"""CUDA's own headers: numbers of 16 bits, cooperative groups, complex numbers, constants."""

import numpy as np
import numpy.typing as npt
import pytest

from gpucnn.simulator import LaunchError, Module, Order
from simulator.sources import zeros

HALF = """
#include <cuda_fp16.h>
extern "C" __global__ void halves(const half* x, const half* y, const half* z, half* out, int n)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[i] = x[i] + y[i], out[n + i] = __hmul(x[i], y[i]), out[2 * n + i] = x[i] / y[i];
    out[3 * n + i] = __hfma(x[i], y[i], z[i]);
    out[4 * n + i] = __float2half(__half2float(x[i]) * 3.0f), out[5 * n + i] = hsqrt(__habs(x[i]));
    const half2 sums = __hadd2(__halves2half2(x[i], y[i]), __half2half2(z[i]));
    out[6 * n + i] = __low2half(sums), out[7 * n + i] = __high2half(sums);
}
extern "C" __global__ void shared_sum(half* x, half factor)
{
    atomicAdd(x, __shfl_xor_sync(~0u, factor, 1));
}
"""
BFLOAT16 = """
#include <cuda_bf16.h>
extern "C" __global__ void rounded(const float* x, const double* y, __nv_bfloat16* out)
{
    const int i = threadIdx.x;
    out[i] = __float2bfloat16(x[i]), out[64 + i] = __double2bfloat16(y[i]);
    out[128 + i] = out[i] * out[64 + i], out[192 + i] = __hfma(out[i], out[64 + i], out[i]);
}
"""
GROUPS = """
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;
extern "C" __global__ void groups(int* out)
{
    const cg::thread_block block = cg::this_thread_block();
    const int i = block.thread_rank();
    cg::thread_block_tile<8> eight = cg::tiled_partition<8>(block);
    auto four = cg::tiled_partition<4>(eight);
    out[i] = cg::reduce(eight, i, cg::plus<int>());
    if (i % 3 == 0) {
        const auto some = cg::coalesced_threads();
        out[64 + i] = some.size() * 100 + some.thread_rank();
    }
    out[128 + i] = four.shfl_down(cg::exclusive_scan(eight, 1), 1);
    cg::sync(block);
    const auto parity = cg::binary_partition(eight, i & 1);
    out[192 + i] = parity.shfl(i, 1);
    cg::this_grid().sync();
}
"""


pytestmark = pytest.mark.filterwarnings("ignore:overflow")


def test_halves_are_rounded_correctly() -> None:
    rng, n = np.random.default_rng(0), 3000
    x, y, z = (rng.standard_normal((3, n)) * np.exp2(rng.integers(-12, 8, (3, n)))).astype("f2")
    out = zeros(8 * n, np.float16)
    Module(HALF).get_function("halves")((12,), (256,), (x, y, z, out, np.int32(n)))
    exact = [each.astype(np.longdouble) for each in (x, y, z)]
    fused = (exact[0] * exact[1] + exact[2]).astype("f2")
    expected = [x + y, x * y, x / y, fused, (x.astype("f4") * 3).astype("f2"), np.sqrt(abs(x))]
    np.testing.assert_array_equal(out.reshape(8, n), [*expected, x + z, y + z])


def test_all_halves_are_what_numpy_takes_them_for() -> None:
    source = """
    #include <cuda_fp16.h>
    extern "C" __global__ void convert(const half* x, float* wide, const double* y, half* narrow)
    {
        const int i = blockIdx.x * blockDim.x + threadIdx.x;
        wide[i] = x[i];
        narrow[i] = y[i], narrow[65536 + i] = (float)y[i];
    }
    """
    x = np.arange(65536, dtype=np.uint16).view(np.float16)
    y = np.random.default_rng(0).standard_normal(65536) * 2.0 ** (np.arange(65536) % 44 - 27)
    y[:31744] = x[:31744].astype("f8") + np.diff(x[:31745].astype("f8")) / 2  # ties
    y[5:31744:7] *= 1 + 2.0**-50
    y[31744] = 65520
    wide, narrow = zeros(65536, np.float32), zeros(2 * 65536, np.float16)
    Module(source, checked=False).get_function("convert")((256,), (256,), (x, wide, y, narrow))
    np.testing.assert_array_equal(wide, x.astype(np.float32))
    np.testing.assert_array_equal(narrow[:65536], y.astype(np.float16))
    np.testing.assert_array_equal(narrow[65536:], y.astype(np.float32).astype(np.float16))


def test_pairs_of_halves_are_made_of_two() -> None:
    source = """
    #include <cuda_fp16.h>
    extern "C" __global__ void pairs(half2* x)
    {
        __shared__ half2 sums[32];
        half2 sum(1.5f, 0.f);
        sums[threadIdx.x] = sum + half2(x[threadIdx.x].y, x[threadIdx.x].x);
        x[threadIdx.x] = sums[threadIdx.x];
    }
    """
    x = np.arange(64, dtype=np.float16)
    expected = x.reshape(32, 2)[:, ::-1] + np.array([1.5, 0])
    Module(source).get_function("pairs")((1,), (32,), (x,))
    np.testing.assert_array_equal(x.reshape(32, 2), expected)


def test_halves_in_atomics_shuffles_and_as_values() -> None:
    x = zeros(1, np.float16)
    Module(HALF).get_function("shared_sum")((1,), (32,), (x, np.float16(0.25)))
    assert x == 8


def test_bfloat16_is_rounded_correctly() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(64).astype("f4"), rng.standard_normal(64)
    y[0] = 1 + 2.0**-8 + 2.0**-40  # nearest as a float to a tie, and not one
    out = np.zeros(256, "V2")
    Module(BFLOAT16).get_function("rounded")((1,), (64,), (x, y, out))
    a, b, product, fused = (out.view("u2").astype("u4") << 16).view("f4").reshape(4, 64)
    np.testing.assert_array_equal(a, bfloat16(x))
    assert b[0] == 1 + 2.0**-7
    np.testing.assert_array_equal(b[1:], bfloat16(y[1:].astype("f4")))
    np.testing.assert_array_equal(product, bfloat16(a * b))
    np.testing.assert_array_equal(fused, bfloat16((a.astype("f8") * b + a).astype("f4")))


def bfloat16(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The nearest numbers of 16 bits, to even between two."""
    bits = x.view("u4")
    rounded: npt.NDArray[np.float32] = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16).view("f4")
    return rounded


@pytest.mark.parametrize("order", ["forward", "reversed", 1])
def test_cooperative_groups(order: Order) -> None:
    out = zeros(256)
    groups = Module(GROUPS, order=order).get_function("groups")
    groups((1,), (64,), (out,), cooperative=True)
    sums, coalesced, scanned, parity = out.reshape(4, 64)
    i = np.arange(64)
    lane, thirds = i % 32, [sum(j % 3 == 0 for j in range(k, k + 32)) for k in (0, 32)]
    np.testing.assert_array_equal(sums, i // 8 * 64 + 28)
    rank = [sum(j % 3 == 0 for j in range(k // 32 * 32, k)) for k in i]
    expected = np.where(i % 3 == 0, np.repeat(thirds, 32) * 100 + rank, 0)
    np.testing.assert_array_equal(coalesced, expected)
    np.testing.assert_array_equal(scanned, np.where(lane % 4 == 3, lane % 8, lane % 8 + 1))
    np.testing.assert_array_equal(parity, i // 8 * 8 + 2 + i % 2)


@pytest.mark.parametrize("header", ["assert.h", "cassert"])
def test_an_assertion_that_fails_ends_the_launch_alone(header: str) -> None:
    source = (
        'extern "C" __global__ void positive(const int* x)\n{\n    assert(x[threadIdx.x] > 0);\n}'
    )
    positive = Module(f"#include <{header}>\n{source}").get_function("positive")
    with pytest.raises(
        LaunchError, match=r"thread \(1, 0, 0\).*assert at source\.cu:4.*failed: x\["
    ):
        positive((1,), (2,), (np.array([1, 0], np.int32),))


def test_complex_numbers_and_constants() -> None:
    source = """
    #include <cuda_runtime.h>
    #include <cuComplex.h>
    #include <math_constants.h>
    extern "C" __global__ void numbers(double* out)
    {
        const cuDoubleComplex a = make_cuDoubleComplex(1, 2), b = make_cuDoubleComplex(3, -4);
        const cuDoubleComplex product = cuCmul(a, b), quotient = cuCdiv(a, b);
        out[0] = cuCreal(product), out[1] = cuCimag(product);
        out[2] = cuCreal(quotient), out[3] = cuCimag(quotient), out[4] = cuCabs(b);
        out[5] = CUDART_PI, out[6] = CUDART_INF_F, out[7] = CUDART_PI_F;
    }
    """
    out = zeros(8, np.float64)
    Module(source).get_function("numbers")((1,), (1,), (out,))
    product, quotient = (1 + 2j) * (3 - 4j), (1 + 2j) / (3 - 4j)
    complexes = [product.real, product.imag, quotient.real, quotient.imag]
    constants = [5, np.pi, np.inf, float(np.float32(np.pi))]
    np.testing.assert_allclose(out, [*complexes, *constants], rtol=4e-16)


def test_groups_shuffle_structures() -> None:
    source = """
    #include <cooperative_groups.h>
    namespace cg = cooperative_groups;
    extern "C" __global__ void exchange(float4* x)
    {
        const auto eight = cg::tiled_partition<8>(cg::this_thread_block());
        const float4 other = eight.shfl_xor(x[threadIdx.x], 1);
        x[threadIdx.x] = cg::coalesced_threads().shfl(other, threadIdx.x ^ 2);
    }
    """
    x = np.arange(128, dtype=np.float32).reshape(32, 4)
    expected = x[np.arange(32) ^ 3]
    Module(source).get_function("exchange")((1,), (32,), (x,))
    np.testing.assert_array_equal(x, expected)


def test_complex_numbers_of_thrust() -> None:
    source = """
    #include <thrust/complex.h>
    typedef thrust::complex<float> complex;
    extern "C" __global__ void products(
        const complex* x, const complex* y, complex* out)
    {
        const int i = threadIdx.x;
        complex z = x[i];
        z *= thrust::conj(y[i]);
        out[i] = z + 2.0f * thrust::exp(x[i]) / y[i];
    }
    """
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((2, 32)) + 1j * rng.standard_normal((2, 32))).astype("c8")
    out = np.zeros_like(x)
    Module(source).get_function("products")((1,), (32,), (x, y, out))
    exact = x.astype("c16") * y.conj() + 2 * np.exp(x.astype("c16")) / y
    # Each of some 10 roundings adds at most an eps of the largest term.
    largest = abs(x * y) + 2 * abs(np.exp(x) / y)
    assert (abs(out - exact) <= 10 * np.finfo("f4").eps * largest).all()
