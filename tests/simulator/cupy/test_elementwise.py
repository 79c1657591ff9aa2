"""ElementwiseKernel and ReductionKernel, against NumPy."""

from typing import Any

import numpy as np
import pytest


@pytest.fixture
def squared(cupy: Any) -> Any:
    return cupy.ElementwiseKernel("T x, T y", "T z", "z = (x - y) * (x - y)", "squared")


@pytest.fixture
def norm(cupy: Any) -> Any:
    return cupy.ReductionKernel("T x", "T y", "x * x", "a + b", "y = sqrt(a)", "0", "norm")


def test_elements_are_broadcast(cupy: Any, squared: Any) -> None:
    x = cupy.arange(10, dtype=cupy.float32).reshape(2, 5)
    for y in (cupy.arange(5, dtype=cupy.float32), 3, x[:, ::-1], x[::-1], x[:1, 2:3]):
        host = y.get() if isinstance(y, cupy.ndarray) else y
        np.testing.assert_array_equal(squared(x, y).get(), (x.get() - host) ** 2)
    with pytest.raises(ValueError, match=r"broadcast|mismatch"):
        squared(x, x.T)


def test_halves(cupy: Any) -> None:
    x = cupy.array([1.5, 3], dtype=cupy.float16)
    product = cupy.ElementwiseKernel("float16 x", "float16 y", "y = x * x + x", "product")
    assert product(x).get().tolist() == [3.75, 12]
    total = cupy.ReductionKernel("T x", "T y", "x", "a + b", "y = a", "0", "total")
    assert total(x).dtype == cupy.float16
    assert total(x) == 4.5


def test_outputs_may_be_given_and_need_not_be_contiguous(cupy: Any, squared: Any) -> None:
    x, out = cupy.arange(4, dtype=cupy.float32), cupy.zeros((4, 2), dtype=cupy.float32)
    assert squared(x, 1, out[:, 0]).shape == (4,)
    assert out.get().tolist() == [[1, 0], [0, 0], [1, 0], [4, 0]]
    with pytest.raises(ValueError, match=r"mismatch"):
        squared(x, 1, out)
    assert squared(cupy.zeros(0, dtype=cupy.float32), 1).shape == (0,)


def test_types_are_those_of_the_arrays(cupy: Any, squared: Any) -> None:
    x = cupy.arange(3, dtype=cupy.int32)
    assert squared(x, 1.9).get().tolist() == [1, 0, 1]  # a number is converted to the letter's
    with pytest.raises(TypeError, match=r"^Type is mismatched. y int64 int32"):
        squared(x, cupy.arange(3, dtype=cupy.int64))
    with pytest.raises(TypeError, match=r"^Unsupported type <class 'numpy.ndarray'>"):
        squared(x, np.zeros(3, np.int32))
    with pytest.raises(TypeError, match=r"^Wrong number of arguments for 'squared'"):
        squared(x)
    with pytest.raises(TypeError, match=r"^the type T of z is not known"):
        squared(1, 2)


def test_raw_arrays_are_indexed(cupy: Any) -> None:
    kernel = cupy.ElementwiseKernel(
        "raw T x, int32 shift", "T y", "y = x[(i + shift) % x.size()]", "roll"
    )
    x = cupy.arange(6, dtype=cupy.float64)
    for view in (x, x[::-1], x.reshape(2, 3)):
        assert kernel(view, 2, size=6).get().tolist() == np.roll(view.get().ravel(), -2).tolist()
    with pytest.raises(ValueError, match=r"^Loop size is undecided"):
        kernel(x, 2)
    transposed = cupy.ElementwiseKernel(
        "raw T x", "T y", "ptrdiff_t at[] = {_ind.get()[1], _ind.get()[0]}; y = x[at]", "transposed"
    )
    x = x.reshape(2, 3)
    np.testing.assert_array_equal(transposed(x, cupy.empty((3, 2))).get(), x.get().T)


SHIFTED = "raw T x, int32 n", "T y", "y = x[i + n]", "shifted"


@pytest.mark.parametrize("view", [slice(0, 4), slice(0, 40, 10), slice(3, None, -1)])
def test_an_access_beyond_a_raw_array_is_found(cupy: Any, view: slice) -> None:
    shifted = cupy.ElementwiseKernel(*SHIFTED)
    x = cupy.arange(100, dtype=cupy.float32)[view]
    assert shifted(x, 1, size=3).get().tolist() == x.get()[1:].tolist()
    for n in (1, -1):
        beyond = r"^shifted, .* reads at test_elementwise.py:\d+ element -?\d+ of argument 0, which"
        with pytest.raises(RuntimeError, match=beyond):
            shifted(x, n, size=4)
    written = cupy.ElementwiseKernel("raw T x, int32 n", "raw T y", "y[i] = x[i + n]", "written")
    y = cupy.zeros(10, dtype=cupy.float32)
    written(x, 0, y[2:6], size=4)
    assert y.get().tolist() == [0, 0, *x.get().tolist(), 0, 0, 0, 0]
    with pytest.raises(
        RuntimeError, match=r"^written, .* writes .* element 3 of argument 2, which"
    ):
        written(x, 0, y[2:5], size=4)


def test_an_access_of_a_reduction_beyond_a_raw_array_is_found(cupy: Any) -> None:
    weighted = cupy.ReductionKernel(
        "T x, raw T z", "T y", "x * z[_J + 1]", "a + b", "y = a", "0", "weighted"
    )
    x, z = cupy.arange(4, dtype=cupy.float32), cupy.arange(5, dtype=cupy.float32)
    assert weighted(x, z).get() == 1 * 2 + 2 * 3 + 3 * 4
    with pytest.raises(RuntimeError, match=r"^weighted, .* reads .* element 4 of argument 1, "):
        weighted(x, z[:4])


def test_what_kernels_are_made_of(cupy: Any) -> None:
    kernel = cupy.ElementwiseKernel(
        "float32 x",
        "complex64 z, bool is_large",
        "z = scaled(x) * complex<float>(0, 1); is_large = x > limit",
        "parts",
        preamble="__device__ float scaled(float x) { return FACTOR * x; }",
        loop_prep="const float limit = 1.5f",
        options=("-DFACTOR=3",),
    )
    z, is_large = kernel(cupy.arange(3, dtype=cupy.float32))
    assert z.get().tolist() == [0, 3j, 6j]
    assert is_large.get().tolist() == [False, False, True]
    nothing = cupy.ElementwiseKernel("", "raw int32 y", "y[i] = i", "nothing", no_return=True)
    y = cupy.zeros(3, dtype=cupy.int32)
    assert nothing(y, size=3) is None
    assert y.get().tolist() == [0, 1, 2]


def test_a_fault_is_at_a_line_of_the_operation(cupy: Any) -> None:
    kernel = cupy.ElementwiseKernel("T x", "T y", "y = x;\n y = y +* ;", "broken")
    with pytest.raises(cupy.cuda.compiler.CompileException, match=r"^broken:2: "):
        kernel(cupy.zeros(1))
    for wrong in ("T", "T x y z", "raw T"):
        with pytest.raises((TypeError, ValueError), match=r"^Invalid parameter|not understood"):
            cupy.ElementwiseKernel(wrong, "T y", "y = 0")


def test_elements_are_taken_together_along_axes(cupy: Any, norm: Any) -> None:
    host = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    x = cupy.asarray(host)
    for axis in (None, 0, 1, -1, (0, 2), (1, 0), ()):
        for keepdims in (False, True):
            expected = np.sqrt((host**2).sum(axis=axis, keepdims=keepdims))
            found = norm(x, axis=axis, keepdims=keepdims)
            assert found.shape == expected.shape
            np.testing.assert_allclose(found.get(), expected, rtol=24 * 2**-52)
    out = cupy.empty(3)
    assert norm(x.T[0], axis=1, out=out) is out
    np.testing.assert_allclose(out.get(), np.linalg.norm(host.T[0], axis=1), rtol=4 * 2**-52)


def test_a_reduction_without_an_identity(cupy: Any) -> None:
    largest = cupy.ReductionKernel("T x", "T y", "x", "max(a, b)", "y = a", None, "largest")
    for size in (1, 63, 64, 65, 200):
        x = -1 - cupy.asarray(np.random.default_rng(size).permutation(size).astype(np.int32))
        assert largest(x).get() == -1
    with pytest.raises(ValueError, match=r"^zero-size array to reduction operation largest which"):
        largest(cupy.zeros(0))


def test_reductions_of_other_types_and_several_inputs(cupy: Any, norm: Any) -> None:
    assert norm(cupy.zeros((0, 3)), axis=0).get().tolist() == [0, 0, 0]
    dot = cupy.ReductionKernel(
        "T x, U y, raw T scale", "float64 z", "x * y * scale[0]", "a + b", "z = a", "0", "dot",
        reduce_type="double",
    )  # fmt: skip
    x, y = cupy.arange(5, dtype=cupy.float32), cupy.arange(5, dtype=cupy.int32)
    assert dot(x, y, cupy.array([2], dtype=cupy.float32)).get() == 60
    place = cupy.ReductionKernel(
        "T x", "int64 y", "x > 2 ? _J : 99", "min(a, b)", "y = a", "99", "place"
    )
    assert place(x).get() == 3


def test_fused_functions_are_run(cupy: Any) -> None:
    @cupy.fuse(kernel_name="fused")  # type: ignore[untyped-decorator]
    def scaled(x: Any) -> Any:
        return cupy.exp(x) * 2

    assert scaled(cupy.zeros(2)).get().tolist() == [2, 2]
    assert cupy.fuse()(scaled)(cupy.zeros(1)).get() == 2
    assert cupy.vectorize(lambda x: x + 1)(cupy.zeros(2)).get().tolist() == [1, 1]
