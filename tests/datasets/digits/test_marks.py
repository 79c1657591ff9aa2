from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from gpucnn.datasets.digits.marks import connected_components, find_digits

Mask = NDArray[np.bool_]


def filled(mask: Mask) -> NDArray[np.int64]:
    """Connected components by flood filling, numbered in the order of their first pixels."""
    labels = np.zeros(mask.shape, np.int64)
    for start in zip(*mask.nonzero(), strict=True):
        if labels[start]:
            continue
        number, waiting = labels.max() + 1, [start]
        while waiting:
            y, x = waiting.pop()
            inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]
            if inside and mask[y, x] and not labels[y, x]:
                labels[y, x] = number
                waiting += [(y + down, x + right) for down, right in product((-1, 0, 1), repeat=2)]
    return labels


@pytest.mark.parametrize("density", [0.0, 0.1, 0.3, 0.4, 0.6, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (40, 30)])
def test_components_are_those_of_flood_filling(density: float, shape: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).random(shape) < density
    np.testing.assert_array_equal(connected_components(mask), filled(mask))


def test_a_spiral_is_one_component() -> None:
    mask = np.zeros((41, 41), bool)
    y, x, (down, right) = 20, 20, (0, 1)
    for length in range(2, 40, 2):
        for _ in range(2):
            for _ in range(length):
                mask[y, x] = True
                y, x = y + down, x + right
            down, right = right, -down
    assert connected_components(mask).max() == 1
    np.testing.assert_array_equal(connected_components(mask), filled(mask))


def page(*marks: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Ink of 200 on a page of 200x300, in rectangles from (top, left) of (height, width)."""
    ink = np.zeros((200, 300), np.float32)
    for top, left, height, width in marks:
        ink[top : top + height, left : left + width] = 200
    return ink


STROKE = (60, 100, 80, 12)


@pytest.mark.parametrize(
    "other",
    [
        (20, 250, 4, 4),
        (0, 0, 200, 20),
        (100, 0, 3, 300),
        (0, 220, 200, 3),
        (0, 200, 60, 30),
    ],
    ids=["a speck", "a desk", "a line that crosses it", "an upright line", "at the border"],
)
def test_what_is_no_digit_is_left_out(other: tuple[int, int, int, int]) -> None:
    (digit,) = find_digits(page(STROKE, other))
    assert digit.shape == (80, 12)


def test_a_frame_is_left_out() -> None:
    sides = [(30, 60, 4, 140), (166, 60, 4, 140), (30, 60, 140, 4), (30, 196, 140, 4)]
    (digit,) = find_digits(page(STROKE, *sides))
    assert digit.shape == (80, 12)
    assert not find_digits(page(*sides))


def test_parts_near_each_other_are_one_digit() -> None:
    (digit,) = find_digits(page(STROKE, (55, 120, 10, 50)))
    assert digit.shape == (85, 70)


def test_digits_come_from_left_to_right() -> None:
    ink = page((60, 200, 80, 12), STROKE, (70, 30, 60, 40))
    assert [digit.shape for digit in find_digits(ink)] == [(60, 40), (80, 12), (80, 12)]


def test_strokes_up_to_the_border_are_a_digit_if_there_is_nothing_else() -> None:
    (digit,) = find_digits(page((0, 100, 150, 20)))
    assert digit.shape == (150, 20)


def test_an_upright_line_with_nothing_beside_it_is_a_digit() -> None:
    (digit,) = find_digits(page((20, 150, 160, 4)))
    assert digit.shape == (160, 4)


def test_the_sides_of_a_desk_are_no_digit() -> None:
    assert not find_digits(page((0, 0, 200, 20), (0, 0, 20, 300)))
