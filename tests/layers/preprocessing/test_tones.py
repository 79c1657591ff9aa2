from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import loops
from expect import refusal
from gpucnn import RandomBrightness, RandomContrast
from gpucnn.backends.ops.images.resampling import PIXEL
from layers.varied import X, drawn, varied


def shares(low: float, high: float, step: int) -> Any:
    """The units that are drawn for each image, and zeros."""
    ends = round(low * PIXEL), round(high * PIXEL)
    return np.array([[drawn(image, 0, *ends, step), 0] for image in range(len(X))])


@pytest.mark.parametrize("step", [1, 7])
@pytest.mark.parametrize(
    ("factor", "low", "high"), [(0.5, -0.5, 0.5), ((0.1, 0.3), 0.1, 0.3), ((-1, -0.5), -1, -0.5)]
)
def test_brightness(factor: Any, low: float, high: float, step: int) -> None:
    expected = loops.brighten(X, shares(low, high, step), -1.5, 2.0, PIXEL)
    made = varied(RandomBrightness(factor, (-1.5, 2.0)), step)
    assert_allclose(made, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("step", [1, 7])
@pytest.mark.parametrize(
    ("factor", "low", "high"), [(0.5, 0.5, 1.5), ((0.1, 0.3), 0.9, 1.3), ((0, 1), 1, 2)]
)
def test_contrast(factor: Any, low: float, high: float, step: int) -> None:
    expected = loops.contrast(X, shares(low, high, step), -1.5, 2.0, PIXEL)
    made = varied(RandomContrast(factor, (-1.5, 2.0)), step)
    assert_allclose(made, expected, rtol=0, atol=1e-14)


def test_black_and_white() -> None:
    assert (varied(RandomBrightness((-1, -1), (0.0, 9.0))) == 0).all()
    assert (varied(RandomBrightness((1, 1), (-3.0, 3.0)), images=X.clip(-3, 3)) >= 0).all()


def test_nothing_is_exact_but_for_the_range() -> None:
    for layer in RandomBrightness(0.0, (-1, 1)), RandomContrast(0.0, (-1, 1)):
        assert_allclose(varied(layer), X.clip(-1, 1), rtol=0, atol=1e-15)
    assert_array_equal(varied(RandomBrightness(0.0, (-9, 9))), X)


@pytest.mark.parametrize("value_range", [(1, 0), (1, 1), 255, (0, 1, 2), (0, float("inf")), None])
def test_wrong_ranges(value_range: Any) -> None:
    for kind in RandomBrightness, RandomContrast:
        with refusal(
            f"value_range is {value_range!r}: it must be a pair of numbers, the lower first"
        ):
            kind(0.1, value_range)


def test_wrong_factors() -> None:
    with refusal(
        "factor is 2: it must be a number from -1 to 1, or a pair of them, the lower first"
    ):
        RandomBrightness(2)
    with refusal(
        "factor is -0.5: it must be a number from 0 to 1, or a pair of them, the lower first"
    ):
        RandomContrast(-0.5)
