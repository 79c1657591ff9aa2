import math

import numpy as np
import pytest

from gpucnn.backends import Array
from gpucnn.backends.cpu import normal

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def distribution(x: Array) -> tuple[Array, Array]:
    """F(x), and exp(-x^2 / 2)."""
    t, bell, out = (np.full_like(x, np.nan) for _ in range(3))
    normal.distribution(x, t, bell, np.empty(x.shape, np.bool_), out)
    return out, bell


@dtypes
def test_it_is_off_by_a_few_roundings(dtype: type[np.floating]) -> None:
    """By 2 eps, half of the 4 of erfc."""
    x = np.linspace(-40, 40, 200_001).astype(dtype)
    right = [0.5 * math.erfc(-each / math.sqrt(2)) for each in x.tolist()]
    off = np.abs(distribution(x)[0] - np.array(right))
    assert off.max() <= 2 * np.finfo(dtype).eps


@dtypes
def test_density(dtype: type[np.floating]) -> None:
    x = np.linspace(-5, 5, 1001).astype(dtype)
    right = np.exp(-(x.astype(np.float64) ** 2) / 2)
    assert np.abs(distribution(x)[1] - right).max() <= 2 * np.finfo(dtype).eps


@dtypes
def test_far_off_it_is_nothing_or_all(dtype: type[np.floating]) -> None:
    x = np.array([-np.inf, -1e38, 1e38, np.inf], dtype)
    out, bell = distribution(x)
    np.testing.assert_array_equal(out, [0, 0, 1, 1])
    np.testing.assert_array_equal(bell, 0)


def test_nan_stays_nan() -> None:
    out, bell = distribution(np.array([np.nan]))
    assert np.isnan([out, bell]).all()
