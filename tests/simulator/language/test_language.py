import numpy as np
import pytest

from gpucnn.simulator import Module, SimulatorError
from simulator.sources import FOLDER, kernel, zeros


def test_macros_and_included_files() -> None:
    out = zeros(16, np.uint8)
    kernel("language", "by_macros")((1,), (16,), (out,))
    np.testing.assert_array_equal(out, 3 * np.arange(16))


def test_functions_of_float() -> None:
    a, b = np.float32(1.7), np.float32(0.6)
    out = zeros(34, np.float32)
    kernel("language", "floats")((1,), (1,), (np.array([a, b]), out))
    expected = [
        *[np.exp(a)] * 3, np.exp2(a), *[np.log(a)] * 2, np.log2(a), np.log10(a),
        np.sqrt(a), *[1 / np.sqrt(a)] * 2, np.cbrt(a),
        np.sin(a), np.cos(a), np.tanh(a), 0.983790459,
        1, 2, 2, a, a**b, a**b, np.fmod(a, b), np.arctan2(a, b),
        a, b, a * b + a, a, a, b, a / b, 3, 4 + 4 + 8 + 8, 2 + 4 + 8,
    ]  # fmt: skip
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_functions_of_double() -> None:
    a, b = 1.7, 0.6
    out = zeros(12, np.float64)
    kernel("language", "doubles")((1,), (1,), (np.array([a, b]), out))
    expected = [np.exp(a), np.log(a), np.sqrt(a), 1 / np.sqrt(a)]
    expected += [a**b, a**2, a, a * b + a, b, a, a, np.tanh(a)]
    np.testing.assert_allclose(out, expected, rtol=1e-15)


@pytest.mark.parametrize("header", ["", "#include <cmath>"])
def test_functions_of_the_global_namespace_are_those_of_float_too(header: str) -> None:
    source = (
        header
        + """
    template <typename T> __device__ int size_of(T) { return sizeof(T); }
    extern "C" __global__ void sizes(int* out)
    {
        out[0] = size_of(::log(2.0f)), out[1] = size_of(::pow(2.0f, 3.0f));
        out[2] = 2 * ::abs(-2.5f);
        out[3] = size_of(::fma(1.0f, 2.0f, 3.0f)), out[4] = size_of(::log(2.0)), out[5] = ::log(1);
    }
    """
    )
    out = zeros(6)
    Module(source).get_function("sizes")((1,), (1,), (out,))
    assert out.tolist() == [4, 4, 5, 4, 8, 0]


def test_integers_and_bits() -> None:
    out = zeros(29, np.int64)
    kernel("language", "integers")((1,), (1,), (out,))
    expected = [-1, 2, 2, 2**32 - 1, 3, 2**40, 32, 2, -1, 2, -1, 8, 64, 32, 31, 63, 0, 0, 4, 41]
    expected += [2**31, 0x3F800000, 1, 0xBF800000, 1, 0x3FF0000000000000, 1, -1, 1]
    np.testing.assert_array_equal(out, expected)


def test_vectors() -> None:
    x = np.arange(32, dtype=np.float32)
    out, array = zeros(32, np.float32), zeros(24, np.uint8)
    kernel("language", "vectors")((1,), (8,), (x, out, np.array([1.0, 10.0]), array))
    expected = x.reshape(8, 4)[:, ::-1] + [0, 0, 0, 10]
    np.testing.assert_array_equal(out.reshape(8, 4), expected)
    assert (array.reshape(8, 3) == [1, 2, 3]).all()


def test_atomics() -> None:
    i, u = zeros(11), zeros(8, np.uint32)
    i[4], i[9], u[2], u[6] = -1, 5, 9, 7
    wide, unsigned = zeros(2, np.int64), zeros(3, np.uint64)
    f, d = zeros(2, np.float32), zeros(1, np.float64)
    kernel("language", "atomics")((1,), (20,), (i, u, wide, unsigned, f, d))
    bits = 2**20 - 1
    assert i.tolist() == [190, -190, -19, 19, ~bits, bits, bits, 19, 4, 8, -20 + 2**31 * 0]
    assert u.tolist() == [190, 2**32 - 20, 3, 19, 0, 0, 6, 8]
    assert wide.tolist() == [-(2**40), 2**40]
    assert unsigned.tolist() == [20 * 2**40, 2**64 - 1, 2**50]
    assert f.tolist() == [10, 2]
    assert d.tolist() == [10]


def test_printf(capfd: pytest.CaptureFixture[str]) -> None:
    kernel("language", "printing")((1,), (3,), (np.int32(7),))
    assert capfd.readouterr().out == "thread 0 of 7\nthread 1 of 7\nthread 2 of 7\n"


def test_quotation_marks_in_numbers() -> None:
    source = """
    extern "C" __global__ void one(int* x)
    {
        const int y = 1'000; __shared__ int shared[32]; const int z = 2'000 + u8'"' + L'\\'';
        shared[threadIdx.x] = threadIdx.x;
        __syncthreads();
        x[threadIdx.x] = shared[31 - threadIdx.x] + y + z;
    }
    """
    x = zeros(32)
    Module(source).get_function("one")((1,), (32,), (x,))
    np.testing.assert_array_equal(x, 31 - np.arange(32) + 3000 + ord('"') + ord("'"))


def test_structures_and_pointers_to_anything() -> None:
    dtype = np.dtype([("first", np.int32), ("second", np.float32)])
    pairs = np.array([(1, 2), (3, 4)], dtype)
    anything, out = np.zeros(3, np.complex128), zeros(2, np.uint64)
    values = kernel("language", "values")
    values((1,), (1,), (pairs[0], np.True_, np.uint8(100), pairs, anything, out))
    assert out.tolist() == [1 + 2 + 1 + 100 + 4, anything.ctypes.data]


def test_options() -> None:
    module = Module(FOLDER / "language.cu", options=("-DFACTOR=4", "--std=c++17"))
    out = zeros(32, np.uint8)
    module.get_function("by_macros")((1,), (32,), (out,))
    np.testing.assert_array_equal(out, 3 * np.arange(32))


def test_functions_of_constants_are_constants_with_gcc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++")  # clang takes none of the C library's for one
    source = """extern "C" __global__ void size(int* x)
    {
        constexpr float limit = ::sqrt(16.0f);
        x[threadIdx.x] = limit;
    }
    """
    out = zeros(2)
    Module(source).get_function("size")((1,), (2,), (out,))
    assert out.tolist() == [4, 4]


def test_dynamic_shared_memory_of_two_dimensions() -> None:
    source = """
    extern __shared__ float outside[][8 + 2];
    __device__ float at(int i) { return outside[i][1]; }
    extern "C" __global__ void rows(float* x)
    {
        extern __shared__ float inside[][(8) + 2];
        inside[threadIdx.x][1] = 3 * x[threadIdx.x];
        __syncthreads();
        x[threadIdx.x] = at(threadIdx.x ^ 1) + sizeof(inside[0]);
    }
    """
    x = np.arange(8, dtype=np.float32)
    expected = 3 * x[np.arange(8) ^ 1] + 40
    Module(source).get_function("rows")((1,), (8,), (x,), shared_mem=320)
    np.testing.assert_array_equal(x, expected)


def test_bounds_of_a_launch_are_any_expression() -> None:
    source = """
    #define LEAST(a, b) (((a) < (b)) ? (a) : (b))
    template <int n> __launch_bounds__(n, LEAST(LEAST(48 / sizeof(int[(2)]), (n)), 8))
    __global__ void bounded(int* x) { x[threadIdx.x] = CUDART_VERSION >= 12000; }
    """
    out = zeros(2)
    module = Module(source, name_expressions=["bounded<64>"])
    module.get_function("bounded<64>")((1,), (2,), (out,))
    assert out.tolist() == [1, 1]


LATE = """
template <typename T> __device__ T of_the_host(T x) { return declared_nowhere(1) + x; }
template <typename T> __global__ void late(T* x) { x[threadIdx.x] = declared_below(3); }
__device__ int declared_below(int x) { return 2 * x; }
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_names_in_templates_may_be_declared_later(
    compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    out = zeros(2)
    module = Module(LATE, name_expressions=["late<int>"])
    module.get_function("late<int>")((1,), (2,), (out,))
    assert out.tolist() == [6, 6]


def test_what_else_is_wrong_with_a_template_is_said() -> None:
    with pytest.raises(SimulatorError, match=r"invalid conversion|cannot initialize"):
        Module(LATE + "__global__ void wrong(int** x) { *x = threadIdx.x; }")


@pytest.mark.parametrize("header", ["", "#include <cstddef>"])
def test_null_needs_no_header(header: str) -> None:
    source = (
        header
        + """
    extern "C" __global__ void count(const int* x, int* out)
    {
        if (x == NULL) out[threadIdx.x] = 1;
    }
    """
    )
    out = zeros(2)
    Module(source).get_function("count")((1,), (2,), (None, out))
    assert out.tolist() == [1, 1]


def test_objects_in_memory_that_is_there() -> None:
    source = """
    struct Pair {
        int a, b;
        __device__ Pair(int a) : a(a), b(2 * a) {}
    };
    extern "C" __global__ void pairs(int* out)
    {
        __shared__ alignas(Pair) unsigned char memory[8 * sizeof(Pair)];
        const Pair* pair = new (memory + threadIdx.x * sizeof(Pair)) Pair(threadIdx.x);
        out[threadIdx.x] = pair->a + pair->b;
    }
    """
    out = zeros(8)
    Module(source).get_function("pairs")((1,), (8,), (out,))
    np.testing.assert_array_equal(out, 3 * np.arange(8))


def test_structures_that_the_host_shares() -> None:
    source = """
    extern cudaDeviceProp properties;
    struct Mipmaps { cudaMipmappedArray_t levels; cudaTextureReadMode mode; };
    struct Volume {
        cudaExtent size;
        cudaChannelFormatDesc channel;
        cudaArray_t content;
        cudaError_t status;
    };
    extern "C" __global__ void sizes(Volume volume, int* out)
    {
        out[0] = volume.size.width * volume.size.height * volume.size.depth;
        out[1] = volume.channel.f == cudaChannelFormatKindFloat;
        out[2] = volume.status == cudaSuccess;
    }
    """
    fields = [("size", "u8", 3), ("channel", "i4", 5), ("content", "u8"), ("status", "i4")]
    volume, out = np.zeros(1, np.dtype(fields, align=True)), zeros(3)
    volume["size"], volume["channel"] = (2, 3, 7), (32, 0, 0, 0, 2)
    Module(source).get_function("sizes")((1,), (1,), (volume, out))
    assert out.tolist() == [42, 1, 1]
