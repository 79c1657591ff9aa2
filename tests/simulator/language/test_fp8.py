"""CUDA's numbers of 8 bits, against their definition."""

import numpy as np
import pytest

from gpucnn.simulator import Module

FORMATS = {"e4m3": (3, 7, 448.0), "e5m2": (2, 15, 57344.0)}
SOURCE = "#include <cuda_fp8.h>\n" + "".join(
    f"""
    extern "C" __global__ void {name}(
        const __nv_fp8_{name}* codes, float* values, const double* x, unsigned char* out)
    {{
        const int i = threadIdx.x + blockIdx.x * blockDim.x;
        if (i < 256) values[i] = (float)codes[i];
        out[4 * i] = __nv_fp8_{name}(x[i]).__x, out[4 * i + 1] = __nv_fp8_{name}((float)x[i]).__x;
        const __nv_fp8_interpretation_t format = __NV_{name.upper()};
        out[4 * i + 2] = __nv_cvt_float_to_fp8((float)x[i], __NV_NOSAT, format);
        const __nv_fp8x2_{name} pair(make_float2(1.0f, -2.0f));
        const float2 back = (float2)pair;
        const __nv_fp8x4_{name} four(make_float4(back.x, back.y, 0.0f, __half(4.0f)));
        out[4 * i + 3] = (float)__half(__nv_cvt_fp8_to_halfraw(four.__x >> 8, format)) == -2.0f;
    }}"""
    for name in FORMATS
)


def values_of(digits: int, bias: int, most: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Those of the codes without a sign; of E5M2 infinity too."""
    code = np.arange(128)
    exponent, fraction = code >> digits, code % 2**digits
    normal = (1 + fraction / 2**digits) * 2.0 ** (exponent - bias)
    values = np.where(exponent == 0, fraction * 2.0 ** (1 - bias - digits), normal)
    beyond = np.where((digits == 2) & (fraction == 0) & (code < 127), np.inf, np.nan)
    return np.where(values <= most, values, beyond)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_fp8(name: str, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    values = values_of(*FORMATS[name])
    most = FORMATS[name][2]
    finite = values[np.isfinite(values)]
    middles = (finite[1:] + finite[:-1]) / 2  # ties, whose neighbours are below and above
    x = np.concatenate([finite, middles, middles * (1 - 2e-7), middles * (1 + 2e-7)])
    x = np.concatenate([x, [2 * most, np.inf, np.nan, 1e-9, 3e5]])
    x = np.concatenate([x, -x, np.zeros(1024 - 2 * x.size)])
    out, found = np.zeros((1024, 4), np.uint8), np.zeros(256, np.float32)
    codes = np.arange(256, dtype=np.uint8).view("V1")
    Module(SOURCE).get_function(name)((4,), (256,), (codes, found, x, out))
    np.testing.assert_array_equal(found[:128], values)
    np.testing.assert_array_equal(found[128:], -values)

    nearest = np.empty(x.size, np.int64)
    for i, size in enumerate(np.abs(x)):
        distance = np.abs(finite - min(np.nan_to_num(size), 1e9))
        best = np.flatnonzero(distance == distance.min())
        nearest[i] = best[best % 2 == 0][0] if best.size > 1 else best[0]
    sign = np.where(np.signbit(x), 0x80, 0)
    expected = np.where(np.isnan(x), 0x7F, sign | nearest)
    np.testing.assert_array_equal(out[:, 0], expected)
    np.testing.assert_array_equal(out[:, 1], expected)
    step = finite[-1] - finite[-2]
    is_beyond = np.abs(x) > most + step / 2
    unsaturated = np.where(is_beyond, sign | (0x7C if name == "e5m2" else 0x7F), expected)
    np.testing.assert_array_equal(out[:, 2], unsaturated)
    assert out[:, 3].all()
