"""Translation where sizes of images matter."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.backends import Backend, CpuBackend
from gpucnn.backends.ops.images.resampling import FILL_MODES, MOST_SIDE, PIXEL


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("shape", [(2, 210, 205, 1), (1, MOST_SIDE, 2, 1), (1, 2, MOST_SIDE, 1)])
def test_large_images_are_translated_as_small_ones(
    fill_mode: str, shape: tuple[int, int, int, int]
) -> None:
    """Of whole numbers by halves of a pixel, exactly."""
    x = np.random.default_rng(0).integers(-9, 9, shape).astype(np.float32)
    sides = np.array(shape[1:3])
    shifts = np.array([-sides, sides // 2])[: len(x)] * PIXEL + PIXEL // 2
    expected, actual = np.zeros_like(x), np.zeros_like(x)
    for backend, out in ((Backend(), expected), (CpuBackend(threads=1), actual)):
        backend.translate(x, shifts.astype(np.int32), fill_mode, 2.0, out)
    assert_array_equal(actual, expected)
