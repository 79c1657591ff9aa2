"""The geometry of windows against a window that is slid by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given

import loops
from backends.strategies import windows
from gpucnn.backends import Window
from gpucnn.backends.window import Padding, Pair

# An element of a window, a position of it, and the pixel that the one sees from the other.
Sight = tuple[int, int, int]


def by_hand(window: Window) -> Counter[Sight]:
    """All that a window sees."""
    image = np.zeros((1, *window.image, 1))
    slide = loops.Slide(window.size, window.strides, window.padding, window.dilation)
    return Counter(
        (i * window.size[1] + j, r * slide.output(image)[1] + c, row * window.image[1] + column)
        for (_, r, c, _), (i, j), (_, row, column, _) in slide.views(image)
    )


def by_taps(window: Window) -> Counter[Sight]:
    """All that a window sees, from the slices of its taps."""
    positions, pixels = numbered(window.output), numbered(window.image)
    return Counter(
        (tap.index, int(position), int(pixel))
        for tap in window.taps
        for position, pixel in zip(
            positions[tap.outputs].flat, pixels[tap.inputs].flat, strict=True
        )
    )


def numbered(shape: Pair) -> loops.Array:
    """One image of that shape whose pixels are numbered."""
    return np.arange(shape[0] * shape[1]).reshape(1, *shape)


@given(window=windows())
def test_taps_see_what_the_window_sees(window: Window) -> None:
    assert by_taps(window) == by_hand(window)


@given(window=windows())
def test_padding_is_what_the_positions_need_its_odd_row_at_the_end(window: Window) -> None:
    sides = zip(window.padding_before, window.padding_after, strict=True)
    assert all(after - before in (0, 1) for before, after in sides)
    sizes = zip(window.image, window.padding_before, window.padding_after, strict=True)
    height, width = (sum(each) for each in sizes)
    padded = Window((height, width), window.size, window.strides, "valid", window.dilation)
    assert padded.output == window.output


@given(window=windows())
def test_output_is_the_number_of_positions(window: Window) -> None:
    image = np.zeros((1, *window.image, 1))
    slide = loops.Slide(window.size, window.strides, window.padding, window.dilation)
    assert window.output == slide.output(image)


@given(window=windows())
def test_taps_select_equal_shapes(window: Window) -> None:
    positions, pixels = numbered(window.output), numbered(window.image)
    for tap in window.taps:
        assert positions[tap.outputs].shape == pixels[tap.inputs].shape


@given(window=windows())
def test_counts_are_the_pixels_that_each_position_sees(window: Window) -> None:
    seen = Counter(position for _, position, _ in by_hand(window))
    positions = numbered(window.output)[0]
    assert [[[seen[int(each)]] for each in row] for row in positions] == window.counts.tolist()


@given(window=windows())
def test_taps_are_in_order(window: Window) -> None:
    assert [tap.index for tap in window.taps] == list(range(window.elements))


@pytest.mark.parametrize(
    ("image", "size", "stride", "padding", "output", "before"),
    [
        (28, 3, 1, "valid", 26, 0),
        (28, 3, 1, "same", 28, 1),
        (26, 2, 2, "valid", 13, 0),
        (5, 2, 2, "valid", 2, 0),  # the last pixel is seen by no window
        (5, 2, 2, "same", 3, 0),  # one pixel of padding, at the end
        (6, 3, 2, "same", 3, 0),
        (5, 3, 2, "same", 3, 1),
        (4, 4, 1, "same", 4, 1),  # one before and two after
        (3, 5, 1, "same", 3, 2),  # larger than the image
        (3, 3, 2, "valid", 1, 0),  # as large as the image
        (4, 1, 3, "same", 2, 0),  # no padding is needed
    ],
)
@pytest.mark.parametrize("axis", [0, 1], ids=["rows", "columns"])
def test_known_geometry(
    image: int, size: int, stride: int, padding: Padding, output: int, before: int, axis: int
) -> None:
    def along(length: int) -> Pair:
        return (length, 1) if axis == 0 else (1, length)

    window = Window(along(image), along(size), along(stride), padding)
    assert (window.output, window.padding_before[axis]) == (along(output), before)


@pytest.mark.parametrize(
    ("image", "size", "dilation", "padding", "output", "before"),
    [
        (28, 3, 2, "valid", 24, 0),
        (5, 3, 2, "valid", 1, 0),  # as large as the image
        (28, 3, 2, "same", 28, 2),
        (28, 2, 3, "same", 28, 1),  # one before and two after
        (9, 1, 4, "valid", 9, 0),  # of one element, which has no distance to others
    ],
)
@pytest.mark.parametrize("axis", [0, 1], ids=["rows", "columns"])
def test_known_geometry_with_dilation(
    image: int, size: int, dilation: int, padding: Padding, output: int, before: int, axis: int
) -> None:
    def along(length: int) -> Pair:
        return (length, 1) if axis == 0 else (1, length)

    window = Window(along(image), along(size), (1, 1), padding, along(dilation))
    assert (window.output, window.padding_before[axis]) == (along(output), before)
    assert window.extent == along((size - 1) * dilation + 1)


@pytest.mark.parametrize("axis", [0, 1], ids=["rows", "columns"])
def test_strides_and_dilation_of_an_axis_exclude_each_other(axis: int) -> None:
    both = (2, 1) if axis == 0 else (1, 2)
    with pytest.raises(AssertionError):
        Window((9, 9), (3, 3), both, "valid", both)
    Window((9, 9), (3, 3), both, "valid", both[::-1])


def test_elements_of_a_window_that_is_not_square() -> None:
    assert Window((5, 5), (3, 2), (1, 1), "valid").elements == 6
