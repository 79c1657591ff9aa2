"""Dense layers as bound calls."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.backends import Calls, CpuBackend
from gpucnn.backends.cpu.layout import images_innermost


@pytest.mark.parametrize("has_small", [False, True])
@pytest.mark.parametrize(
    ("images", "inputs", "units"), [(1, 70, 3), (1, 4000, 9), (7, 20, 5), (39, 1600, 128)]
)
def test_calls_compute_the_product_and_the_sum(
    images: int, inputs: int, units: int, has_small: bool
) -> None:
    generator = np.random.default_rng(0)
    # Of whole numbers, whose sums are exact in any order.
    x, kernel = (
        generator.integers(-9, 10, shape) * 1.0 for shape in ((images, inputs), (inputs, units))
    )
    bias = np.arange(units) * 1.0
    out, calls = images_innermost(np.empty(images * units), (images, units)), Calls()
    with patch("gpucnn.backends.cpu.products.has_kernels_of_small_matrices", lambda: has_small):
        CpuBackend(1).bind_dense(x, kernel, bias, out, calls)
    calls()
    assert_array_equal(out, x @ kernel + bias)
    kernel[:] *= 2
    calls.renew()
    calls()
    assert_array_equal(out, x @ kernel + bias)
