"""CUDA's arithmetic with a rounding mode, against exact fractions."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from gpucnn.backends.cuda.machine_code.nvrtc import compile_kernels
from gpucnn.simulator import Module

MODES = ("rn", "rz", "rd", "ru")
FLOAT = ("fadd", "fsub", "fmul", "fdiv", "fmaf", "fsqrt", "frcp")
DOUBLE = ("dadd", "dsub", "dmul", "ddiv", "fma", "dsqrt", "drcp")
EXACT: tuple[Callable[[Any, Any, Any], Any], ...] = (
    lambda x, y, z: x + y,
    lambda x, y, z: x - y,
    lambda x, y, z: x * y,
    lambda x, y, z: x / y,
    lambda x, y, z: x * y + z,
    lambda x, y, z: x,  # of a square
    lambda x, y, z: 1 / x,
)
ARGUMENTS = ("x[i], y[i]",) * 4 + ("x[i], y[i], z[i]", "fabs(x[i])", "x[i]")


def source(real: str, names: tuple[str, ...]) -> str:
    calls = [
        f"out[n * {k} + i] = __{name}_{mode}({arguments});"
        for k, (mode, (name, arguments)) in enumerate(
            (mode, each) for mode in MODES for each in zip(names, ARGUMENTS, strict=True)
        )
    ]
    return f"""extern "C" __global__ void rounded(
        const {real}* x, const {real}* y, const {real}* z, {real}* out, int n)
    {{
        const int i = threadIdx.x;
        {" ".join(calls)}
    }}"""


def is_below(value: Fraction, exact: Fraction, is_root: bool) -> bool:
    """Whether a number is not above the exact one, or not above its root."""
    return value < 0 or value**2 <= exact if is_root else value <= exact


def rounded(exact: Fraction, dtype: Any, mode: str, is_root: bool) -> Any:
    """The exact value, or its root, in a rounding mode, from the number just below it."""
    below = dtype(float(exact) ** 0.5 if is_root else float(exact))
    below = np.nextafter(below, dtype(-np.inf))
    while is_below(Fraction(float(above := np.nextafter(below, dtype(np.inf)))), exact, is_root):
        below = above
    while not is_below(Fraction(float(below)), exact, is_root):
        below, above = np.nextafter(below, dtype(-np.inf)), below
    if Fraction(float(below)) ** (2 if is_root else 1) == exact:
        return below
    if mode == "rn":
        middle = (Fraction(float(below)) + Fraction(float(above))) / 2
        is_even = dtype(below).view(f"u{dtype().nbytes}") % 2 == 0
        is_lower = not is_below(middle, exact, is_root) or (middle == exact and is_even)
        return below if is_lower else above
    return below if mode == "rd" or (mode == "rz" and exact > 0) else above


@pytest.mark.parametrize(("real", "names"), [("float", FLOAT), ("double", DOUBLE)])
def test_each_mode(real: str, names: tuple[str, ...]) -> None:
    dtype: Any = np.float32 if real == "float" else np.float64
    rng, n = np.random.default_rng(0), 40
    x, y, z = (rng.standard_normal((3, n)) * np.exp2(rng.integers(-30, 30, (3, n)))).astype(dtype)
    x[:2], y[:2] = (1, np.finfo(dtype).tiny), (np.finfo(dtype).eps / 2, 0.3)  # a tie, a subnormal
    out = np.zeros((4, 7, n), dtype)
    module = Module(source(real, names))
    module.get_function("rounded")((1,), (n,), (x, y, z, out, np.int32(n)))
    for i in range(n):
        operands = [Fraction(float(each[i])) for each in (x, y, z)]
        for k, exact in enumerate(EXACT):
            is_root = names[k].endswith("sqrt")
            value = abs(operands[0]) if is_root else exact(*operands)
            expected = [rounded(value, dtype, mode, is_root) for mode in MODES]
            assert out[:, k, i].tolist() == expected, (names[k], x[i], y[i], z[i])
    assert "rounded" in compile_kernels(source(real, names), (), "sm_90").resources


CONVERSIONS = """
#include <cuda_fp16.h>
#include <cuda_bf16.h>
extern "C" __global__ void narrowed(
    const long long* x, const float* y, float* out, long long* whole)
{
    const int i = threadIdx.x;
    out[8 * i] = __ll2half_rn(x[i]), out[8 * i + 1] = __ll2half_rz(x[i]);
    out[8 * i + 2] = __ll2half_rd(x[i]), out[8 * i + 3] = __ll2half_ru(x[i]);
    out[8 * i + 4] = __ll2bfloat16_rn(x[i]), out[8 * i + 5] = __ll2bfloat16_rz(x[i]);
    out[8 * i + 6] = __float2half_rd(y[i]), out[8 * i + 7] = __float2bfloat16_ru(y[i]);
    whole[4 * i] = __half2short_rn(__float2half(y[i])), whole[4 * i + 1] = __half2uchar_rz(y[i]);
    whole[4 * i + 2] = __half2ll_ru(y[i]), whole[4 * i + 3] = __double2ll_rd(__ll2double_ru(x[i]));
}
"""


def test_narrow_numbers() -> None:
    x = np.array([2049, -2051, 70000, (257 << 54) + 1], np.int64)
    y = np.array([2.5, -0.1, 1e6, 1.001], np.float32)
    out, whole = np.zeros((4, 8), np.float32), np.zeros((4, 4), np.int64)
    Module(CONVERSIONS).get_function("narrowed")((1,), (4,), (x, y, out, whole))
    inf = np.inf
    np.testing.assert_array_equal(
        out,
        [
            [2048, 2048, 2048, 2050, 2048, 2048, 2.5, 2.5],
            [-2052, -2050, -2052, -2050, -2048, -2048, -1639 * 2.0**-14, -204 * 2.0**-11],
            [inf, 65504, 65504, inf, 70144, 69632, 65504, 1003520],
            [inf, 65504, 65504, inf, 129 * 2.0**55, 2.0**62, 1 + 2.0**-10, 1 + 2.0**-7],
        ],
    )
    up = (257 << 54) + 1024  # doubles of that size are 1024 apart
    expected = [[2, 2, 3, 2049], [0, 0, 0, -2051], [32767, 255, 2**63 - 1, 70000], [1, 1, 2, up]]
    assert whole.tolist() == expected
