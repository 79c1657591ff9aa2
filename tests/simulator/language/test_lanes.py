"""CUDA's operations on the lanes of a word, against NumPy's on arrays of lanes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gpucnn.backends.cuda.machine_code.nvrtc import compile_kernels
from gpucnn.simulator import Module

Lanes = npt.NDArray[np.int64]
OfTwo = Callable[[Lanes, Lanes, Any], Any]

OF_TWO: dict[str, OfTwo] = {
    "add": lambda a, b, limits: a + b,
    "addss": lambda a, b, limits: np.clip(a + b, limits.min, limits.max),
    "addus": lambda a, b, limits: np.clip(a + b, limits.min, limits.max),
    "sub": lambda a, b, limits: a - b,
    "subss": lambda a, b, limits: np.clip(a - b, limits.min, limits.max),
    "subus": lambda a, b, limits: np.clip(a - b, limits.min, limits.max),
    "avgs": lambda a, b, limits: np.floor((a + b) / 2 + 0.25) + ((a + b) % 2 == 1) * (a + b > 0),
    "avgu": lambda a, b, limits: (a + b + 1) // 2,
    "haddu": lambda a, b, limits: (a + b) // 2,
    "absdiffs": lambda a, b, limits: abs(a - b),
    "absdiffu": lambda a, b, limits: abs(a - b),
    "maxs": lambda a, b, limits: np.maximum(a, b),
    "maxu": lambda a, b, limits: np.maximum(a, b),
    "mins": lambda a, b, limits: np.minimum(a, b),
    "minu": lambda a, b, limits: np.minimum(a, b),
    "cmpeq": lambda a, b, limits: -(a == b).astype(int),
    "cmpne": lambda a, b, limits: -(a != b).astype(int),
    "cmpges": lambda a, b, limits: -(a >= b).astype(int),
    "cmpgeu": lambda a, b, limits: -(a >= b).astype(int),
    "cmpgts": lambda a, b, limits: -(a > b).astype(int),
    "cmpgtu": lambda a, b, limits: -(a > b).astype(int),
    "cmples": lambda a, b, limits: -(a <= b).astype(int),
    "cmpleu": lambda a, b, limits: -(a <= b).astype(int),
    "cmplts": lambda a, b, limits: -(a < b).astype(int),
    "cmpltu": lambda a, b, limits: -(a < b).astype(int),
}


def as_number(test: OfTwo) -> OfTwo:
    """The comparison that gives 1 where `test` gives a mask."""
    return lambda a, b, limits: -test(a, b, limits)


OF_TWO |= {
    name.replace("cmp", "set"): as_number(test)
    for name, test in OF_TWO.items()
    if name.startswith("cmp")
}
OF_ONE: dict[str, Callable[[Lanes, Any], Any]] = {
    "abs": lambda a, limits: abs(a),
    "absss": lambda a, limits: np.minimum(abs(a), limits.max),
    "neg": lambda a, limits: -a,
    "negss": lambda a, limits: np.minimum(-a, limits.max),
}
UNSIGNED = {"add", "sub", "cmpeq", "cmpne", "seteq", "setne"}


def source(count: int) -> str:
    calls = [f"__v{name}{count}(a[i], b[i])" for name in OF_TWO]
    calls += [f"__v{name}{count}(a[i])" for name in OF_ONE]
    calls += [f"__vsads{count}(a[i], b[i])", f"__vsadu{count}(a[i], b[i])"]
    stores = "".join(f"out[{k} * n + i] = {call};" for k, call in enumerate(calls))
    return f"""extern "C" __global__ void words(
        const unsigned* a, const unsigned* b, unsigned* out, int n)
    {{
        const int i = threadIdx.x;
        {stores}
    }}"""


@pytest.mark.parametrize(("count", "bits"), [(2, 16), (4, 8)])
def test_words(count: int, bits: int) -> None:
    edges = np.array([0, 1, 2**bits - 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1, 2 ** (bits - 1) + 1])
    pairs = np.array(np.meshgrid(edges, edges)).reshape(2, 36).astype(f"u{bits // 8}")
    random = np.random.default_rng(0).integers(0, 2**bits, (2, 64 * count - 36))
    a, b = np.concatenate([pairs, random.astype(pairs.dtype)], axis=1)
    out = np.zeros((len(OF_TWO) + len(OF_ONE) + 2, 64), np.uint32)
    words = Module(source(count)).get_function("words")
    words((1,), (64,), (a.view(np.uint32), b.view(np.uint32), out, np.int32(64)))

    def lanes(name: str) -> tuple[Lanes, Lanes, Any]:
        sign = "u" if name.endswith(("u", "us")) or name in UNSIGNED else "i"
        dtype = f"{sign}{bits // 8}"
        return a.view(dtype).astype(np.int64), b.view(dtype).astype(np.int64), np.iinfo(dtype)

    expected = [function(*lanes(name)) for name, function in OF_TWO.items()]
    expected += [function(lanes(name)[0], lanes(name)[2]) for name, function in OF_ONE.items()]
    for name, result, right in zip([*OF_TWO, *OF_ONE], out, expected, strict=False):
        narrow = (right.astype(np.int64) & (2**bits - 1)).astype(a.dtype)
        np.testing.assert_array_equal(result.view(a.dtype), narrow, name)
    for name, result in zip(("sads", "sadu"), out[-2:], strict=True):
        x, y, _ = lanes(name)
        np.testing.assert_array_equal(result, abs(x - y).reshape(64, count).sum(axis=1), name)
    assert "words" in compile_kernels(source(count), (), "sm_90").resources


MORE = """
extern "C" __global__ void more(long long* out)
{
    bool high, low;
    int k = 0;
    out[k++] = __vimax3_s32(-5, 3, 2), out[k++] = __vimin3_u32(5, ~0u, 7);
    out[k++] = __viaddmax_s32(2147483647, 1, -3), out[k++] = __viaddmin_u32(~0u, 3, 7);
    out[k++] = __vimin_s32_relu(-2, 5), out[k++] = __vimin3_s32_relu(4, 2, 3);
    out[k++] = __vimax3_s16x2(0xffff0001, 0x00020000, 0xfffd0007);
    out[k++] = __viaddmax_s16x2_relu(0x7fff0002, 0x0001fffc, 0x8000ffff);
    out[k++] = __vimin3_u16x2(0xffff0001, 0x00020002, 0x00030003);
    out[k++] = __vibmax_s32(2, 3, &low), out[k++] = low;
    out[k++] = __vibmin_u16x2(0xffff0001, 0x00020001, &high, &low), out[k++] = 2 * high + low;
    out[k++] = __dp2a_lo((int)0xfffe0003, 0x0403ff02, 10);
    out[k++] = __dp2a_hi(3u, 0x04030201u, 1u);
    out[k++] = __dp2a_lo(make_short2(3, -2), make_char4(2, -1, 3, 4), 10);
    out[k++] = __dp4a(make_uchar4(255, 1, 0, 0), make_uchar4(2, 3, 4, 5), 7u);
}
"""


def test_more() -> None:
    out = np.zeros(17, np.int64)
    Module(MORE).get_function("more")((1,), (1,), (out,))
    expected = [3, 5, -3, 2, 0, 2, 0x00020007, 0, 0x00020001, 3, 0, 0x00020001, 1, 18, 10, 18, 520]
    assert out.tolist() == expected
    assert "more" in compile_kernels(MORE, (), "sm_90").resources
