from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from expect import refusal
from gpucnn.errors import InvalidTypeError
from gpucnn.utils import to_categorical


def test_rows() -> None:
    assert_array_equal(to_categorical([2, 0]), [[0, 0, 1], [1, 0, 0]])
    assert_array_equal(to_categorical([[1], [0]], 3), [[0, 1, 0], [1, 0, 0]])
    assert to_categorical(np.zeros((2, 3), np.uint8), 4).shape == (2, 3, 4)


def test_many_classes() -> None:
    assert to_categorical([200_000]).argmax() == 200_000


@pytest.mark.parametrize(("x", "wrong"), [([0, 3], 3), ([-1, 0], -1)])
def test_no_class(x: Any, wrong: int) -> None:
    with refusal(f"{wrong} is not a class: give numbers from 0 to 2"):
        to_categorical(x, 3)


def test_no_whole_numbers() -> None:
    with refusal("the classes are of dtype float64: give whole numbers", InvalidTypeError):
        to_categorical([0.0])
