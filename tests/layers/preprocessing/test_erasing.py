from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import loops
from expect import refusal
from gpucnn import Dense, Flatten, RandomErasing, Sequential
from gpucnn.backends import Array
from gpucnn.layers.preprocessing.rectangles import CHOICES, PLACES
from layers.varied import INDEX, X, drawn, varied

HEIGHT, WIDTH = X.shape[1:3]
EVERY = (1.0, 1.0)


def drawn_for(image: int, k: int, low: int, high: int, step: int, stream: int) -> int:
    word = loops.random_word(4 * image + k, 5, INDEX + stream, step)
    return loops.drawn_integer(word, low, high)


def erased(layer: Any, step: int = 1) -> Array:
    """Which pixels are erased: bool (n, h, w)."""
    changed: Array = (varied(layer, step) != X).any(-1)
    return changed


@pytest.mark.parametrize("step", [1, 7])
@pytest.mark.parametrize(("factor", "probability"), [(1.0, 0.5), ((0.9, 1.0), 0.95), (EVERY, 1.0)])
def test_rectangles(factor: Any, probability: float, step: int) -> None:
    """Of which the sizes and the places are drawn by themselves, along both axes."""
    low, high = 0.2, 0.8
    left = round((1 - probability) * CHOICES)
    rows = np.concatenate([np.zeros(left), np.linspace(low, high, CHOICES - left)])
    ratios = np.rint(2**16 * np.sqrt(np.concatenate([rows, np.linspace(low, high, CHOICES)])))
    which, places = np.zeros((2, len(X), 2), int)
    for image, k in np.ndindex(which.shape):
        which[image, k] = drawn(image, k, k * CHOICES, (k + 1) * CHOICES - 1, step)
        places[image, k] = drawn_for(image, k, 0, 2**16, step, PLACES)
    expected, _ = loops.paste(X, np.full_like(X, 9), which, places, ratios, is_alike=False)
    layer = RandomErasing(factor, (low, high), 9.0, (-9, 9))
    assert_array_equal(varied(layer, step), expected)


def test_nothing_is_erased_of_images_that_are_left() -> None:
    assert not erased(RandomErasing(0.0, value_range=(-2, 2))).any()
    some = erased(RandomErasing(1.0, value_range=(-2, 2))).any((1, 2))
    assert 0 < some.sum() < len(X)


def test_all_is_erased() -> None:
    assert erased(RandomErasing(EVERY, (1.0, 1.0), value_range=(-2, 2))).all()


def test_noise_is_normal_within_the_range() -> None:
    made = varied(RandomErasing(EVERY, (1.0, 1.0), value_range=(-1, 2)))
    assert (made.min(), made.max()) == (-1, 2)
    inside = made[(made > -1) & (made < 2)]
    assert len(np.unique(inside)) > 100
    assert abs((made > -1).mean() - 0.6915) < 0.06  # that of the normal distribution above -1/2
    assert abs((made < 2).mean() - 0.8413) < 0.05  # and below 1


def test_a_number_for_each_channel_within_the_range() -> None:
    layer = RandomErasing(EVERY, (1.0, 1.0), (0.5, 9.0), (-1, 1))
    assert_array_equal(varied(layer), np.broadcast_to([0.5, 1.0], X.shape))
    with refusal(
        "fill_value of randomerasing has 2 numbers, but its input has the shape (5, 7, 3): give "
        "one number, or 3"
    ):
        Sequential([RandomErasing(fill_value=(1, 2)), Flatten(), Dense(2)], (5, 7, 3))


def test_wrong_arguments() -> None:
    allowed = "it must be a number from 0 to 1, or a pair of them, the lower first"
    with refusal(f"factor is -1: {allowed}"):
        RandomErasing(-1)
    with refusal(f"scale is (0.3, 0.2): {allowed}"):
        RandomErasing(scale=(0.3, 0.2))
    with refusal("fill_value is 'noise': it must be a number, or a list with one for each channel"):
        RandomErasing(fill_value="noise")  # type: ignore[arg-type]
    with refusal("value_range is (1, 0): it must be a pair of numbers, the lower first"):
        RandomErasing(value_range=(1, 0))
