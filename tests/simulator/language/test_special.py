"""CUDA's functions that the C library does not have, against SciPy's."""

from typing import Any

import numpy as np
import pytest
from scipy import special

from gpucnn.backends.cuda.machine_code.nvrtc import compile_kernels
from gpucnn.simulator import Module

POINTS = np.array([1e-300, 1e-12, 0.003, 0.1, 0.3, 0.49, 0.51, 0.7, 0.97, 1 - 1e-9, 1.0])
WIDE = np.array([-8.0, -3, -0.2, 0, 1e-9, 0.1, 1, 2.5, 6, 12, 25.9, 26.1, 100])
FUNCTIONS = {
    "erfinv": (special.erfinv, np.concatenate([-POINTS, POINTS])),
    "erfcinv": (special.erfcinv, np.concatenate([POINTS, 2 - POINTS])),
    "erfcx": (special.erfcx, WIDE),
    "normcdf": (special.ndtr, WIDE - 20),
    "normcdfinv": (special.ndtri, POINTS),
    "cyl_bessel_i0": (special.i0, WIDE),
    "cyl_bessel_i1": (special.i1, WIDE),
}
SOURCE = "\n".join(
    f"""extern "C" __global__ void {name}_of(const double* x, double* out, float* narrow, int n)
    {{
        const int i = threadIdx.x;
        if (i < n) out[i] = {name}(x[i]), narrow[i] = {name}f((float)x[i]);
    }}"""
    for name in FUNCTIONS
)
MORE = """
extern "C" __global__ void more(const double* x, double* out)
{
    double sine, cosine;
    sincospi(0.25, &sine, &cosine);
    int quotient, k = 0;
    out[k++] = sine * cosine, out[k++] = jn(2, 1.5), out[k++] = yn(3, 1.5);
    out[k++] = norm3d(2, 3, 6), out[k++] = norm4d(1, 2, 2, 4), out[k++] = rnorm3d(2, 3, 6);
    out[k++] = norm(4, x), out[k++] = rnorm4d(1, 2, 2, 4), out[k++] = norm3df(1e30f, 0, 0);
    out[k++] = remquo(7.5, 2.0, &quotient), out[k++] = quotient, out[k++] = scalbln(1.5, 3L);
    out[k++] = llabs(-3LL), out[k++] = isnan(nan("")), out[k++] = ilogbf(9.0f);
    out[k++] = __frsqrt_rn(16.0f), out[k++] = jnf(2, 1.5f);
}
"""


@pytest.fixture(scope="module")
def module() -> Module:
    return Module(SOURCE + MORE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(module: Module, name: str) -> None:
    reference, x = FUNCTIONS[name]
    out, narrow = np.zeros(x.size), np.ones(x.size, np.float32)
    module.get_function(f"{name}_of")((1,), (32,), (x, out, narrow, np.int32(x.size)))
    expected: Any = reference(x)
    # A few of double's roundings, times the function's own condition where the argument is one of
    # a difference, as in normcdf: |x f'(x) / f(x)| is at most x * x there.
    condition = np.maximum(1, x * x) if name in ("normcdf", "erfcx") else 1
    tolerance = 8 * np.finfo(np.float64).eps * condition * np.abs(expected)
    is_finite = np.isfinite(expected)
    error = np.abs(np.where(is_finite, out, 0) - np.where(is_finite, expected, 0))
    assert (error <= np.where(is_finite, tolerance, 0)).all(), (x, out, expected)
    np.testing.assert_array_equal(out[~is_finite], expected[~is_finite])
    with np.errstate(over="ignore", under="ignore"):
        of_float = np.asarray(reference(x.astype(np.float32).astype(np.float64)), np.float32)
    np.testing.assert_array_max_ulp(narrow, of_float, 1)


def test_more(module: Module) -> None:
    out = np.zeros(17)
    module.get_function("more")((1,), (1,), (np.array([1.0, 4, 2, 2]), out))
    expected = [0.5, special.jn(2, 1.5), special.yn(3, 1.5), 7, 5, 1 / 7, 5, 0.2, np.float32(1e30)]
    expected += [-0.5, 4, 12, 3, 1, 3, 0.25, np.float32(special.jn(2, 1.5))]
    np.testing.assert_allclose(out, expected, rtol=1e-15)


def test_nvrtc_accepts_them() -> None:
    assert "more" in compile_kernels(SOURCE + MORE, (), "sm_90").resources
