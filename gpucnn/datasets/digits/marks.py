"""Finding the marks of ink that may be digits, among lines, frames, specks and cut-off marks.

Marks are connected components. Lines are found by a Hough transform over nearly horizontal slopes
and, on the transposed picture, nearly vertical ones.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.digits.ink import LEAST_CONTRAST, Ink

Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

LEAST_CONTRAST_TO_NOISE = 6  # above the extremes of a million pixels of noise
CLEAR = 1.2  # times the least contrast: the median of ink; residues of uneven light are fainter
FAINT = 0.3  # of the strongest ink: anything fainter is paper

# As fractions of the picture's shorter side.
SMALLEST = 0.05  # digit
SMALLEST_CUT_OFF = 1 / 3  # digit that touches the border, as in a tightly cropped picture
THICKEST_LINE = 1 / 30

SHORTEST_LINE = 0.6  # of the side of the picture that it runs along
STEEPEST_LINE = 0.09  # 5 degrees
LINE_SLOPES = np.linspace(-STEEPEST_LINE, STEEPEST_LINE, 61)

RIM = 0.12  # of a frame's size: its ink lies within that distance of its bounding box's sides,
IN_RIM = 0.9  # at least this fraction of it

# As fractions of the size of the largest mark.
LEAST_PART = 0.25  # of a digit; anything smaller is a speck, unless it is within
EDGE = 0.03  # of a part
GAP = 0.19  # between parts of a digit, at most
LEAST_DIGIT = 0.4  # beside the largest


def find_digits(ink: Ink) -> list[Ink]:
    """Find the marks that may be digits.

    Args:
        ink: float32 (h, w) in [0, 255].

    Returns:
        The ink of each mark, from left to right, cropped to its bounding box; 0 outside the mark.
    """
    least = max(LEAST_CONTRAST, LEAST_CONTRAST_TO_NOISE * _noise(ink))
    mask = _without_frames(ink >= least)
    horizontal, vertical = _horizontal_lines(mask), _horizontal_lines(mask.T).T
    lines = horizontal | vertical
    chosen = _plausible(mask & ~lines)
    if not chosen.any():  # a vertical line may be a 1
        lines = horizontal
        chosen = _plausible(mask & ~lines)
    if not chosen.any():
        lines = horizontal | vertical
        chosen = _cut_off(mask & ~lines)
    if not chosen.any() or np.median(ink[chosen]) < CLEAR * least:
        return []
    strong = ~lines & (ink >= FAINT * np.percentile(ink[chosen], 95))
    return [_cropped(np.where(strong & digit, ink, 0)) for digit in _digits(chosen & strong)]


def _noise(ink: Ink) -> float:
    """The median difference of nearby pixels, between most of which there is no edge."""
    apart = 1 + ink.shape[1] // 28  # adjacent pixels are correlated in JPEG files
    differences = np.abs(ink[:, apart:] - ink[:, :-apart])
    return float(np.median(differences)) if differences.size else 0


def _cropped(ink: Ink) -> Ink:
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


# Lines


def _horizontal_lines(mask: Mask) -> Mask:
    """The ink of thin, nearly horizontal lines across the picture, except at crossings."""
    height, width = mask.shape
    x, top, bottom = _vertical_runs(mask)
    thin = bottom - top <= max(1, THICKEST_LINE * min(mask.shape))
    x, top, bottom = x[thin], top[thin], bottom[thin]
    in_line = np.zeros(len(x), bool)
    for slope in LINE_SLOPES:
        intercepts = np.rint((top + bottom) / 2 - slope * x).astype(int) + width  # none is < 0
        votes = np.bincount(intercepts, minlength=height + 2 * width)
        votes = votes + np.roll(votes, 1) + np.roll(votes, -1)
        in_line |= votes[intercepts] >= SHORTEST_LINE * width
    return _mask_of_runs(x[in_line], top[in_line], bottom[in_line], mask.shape)


def _vertical_runs(mask: Mask) -> tuple[Integers, Integers, Integers]:
    """The vertical runs of ink: the column, first row and last row + 1 of each."""
    changes = np.diff(np.pad(mask, ((1, 1), (0, 0))).T.astype(np.int8), axis=1)
    x, top = np.nonzero(changes == 1)
    return x, top, np.nonzero(changes == -1)[1]


def _mask_of_runs(x: Integers, top: Integers, bottom: Integers, shape: tuple[int, ...]) -> Mask:
    changes = np.zeros((shape[0] + 1, shape[1]), np.int8)
    changes[top, x] += 1
    changes[bottom, x] -= 1
    return np.cumsum(changes, axis=0)[:-1] > 0


# Marks


@dataclass(frozen=True)
class Marks:
    """The connected components of a mask, numbered from 0; properties have an element for each."""

    labels: Integers
    """(h, w): the number of each pixel's mark, plus 1; 0 where there is no ink."""

    @staticmethod
    def of(mask: Mask) -> "Marks":
        """The marks of a mask, (h, w)."""
        return Marks(connected_components(mask))

    def chosen(self, which: Mask) -> Mask:
        """The mask, (h, w), of the marks for which `which`, (count,), is true."""
        return np.concatenate([[False], which])[self.labels]

    @cached_property
    def pixels(self) -> tuple[Integers, Integers, Integers]:
        """The mark, row and column of each pixel of ink, each (n,)."""
        y, x = np.nonzero(self.labels)
        return self.labels[y, x] - 1, y, x

    @cached_property
    def count(self) -> int:
        """The number of marks."""
        return int(self.labels.max(initial=0))

    @cached_property
    def box(self) -> tuple[Integers, Integers, Integers, Integers]:
        """The bounding box of each: its first row, first column, last row and last column."""
        mark, y, x = self.pixels
        height, width = self.labels.shape
        top, left = np.full(self.count, height), np.full(self.count, width)
        bottom, right = np.zeros_like(top), np.zeros_like(left)
        np.minimum.at(top, mark, y)
        np.minimum.at(left, mark, x)
        np.maximum.at(bottom, mark, y)
        np.maximum.at(right, mark, x)
        return top, left, bottom, right

    @cached_property
    def height(self) -> Integers:
        """In pixels."""
        return self.box[2] - self.box[0] + 1

    @cached_property
    def width(self) -> Integers:
        """In pixels."""
        return self.box[3] - self.box[1] + 1

    @cached_property
    def size(self) -> Integers:
        """The greater of height and width."""
        return np.maximum(self.height, self.width)

    @cached_property
    def at_border(self) -> Mask:
        """Whether each touches the border of the picture."""
        top, left, bottom, right = self.box
        height, width = self.labels.shape
        reached: Mask = (top == 0) | (left == 0) | (bottom == height - 1) | (right == width - 1)
        return reached

    @cached_property
    def at_corners(self) -> Mask:
        """Whether each touches more than one corner of the picture."""
        corners = self.labels[[0, 0, -1, -1], [0, -1, 0, -1]]
        reached: Integers = np.bincount(corners, minlength=self.count + 1)
        return reached[1:] > 1

    @cached_property
    def is_frame(self) -> Mask:
        """Whether each is the outline of a rectangle with sides of similar length."""
        mark, y, x = self.pixels
        top, left, bottom, right = (sides[mark] for sides in self.box)
        inwards = np.min([y - top, x - left, bottom - y, right - x], axis=0)
        in_rim = np.bincount(mark, inwards < RIM * self.size[mark], self.count)
        total = np.bincount(mark, minlength=self.count)
        hollow = np.minimum(self.height, self.width) > 4 * RIM * self.size
        return hollow & (in_rim > IN_RIM * total)


def connected_components(mask: Mask) -> Integers:
    """Label the 8-connected components of a mask, (h, w), from 1; 0 outside the mask.

    The horizontal runs of pixels are the nodes of a graph, joined where they touch. Each takes the
    least label among its neighbours', with pointer jumping, until nothing changes.
    """
    starts = mask & ~np.pad(mask, ((0, 0), (1, 0)))[:, :-1]
    runs = np.where(mask, np.cumsum(starts).reshape(mask.shape), 0)
    one, other = _touching(runs)
    least = np.arange(runs.max(initial=0) + 1)
    while (least[one] != least[other]).any():
        both = np.minimum(least[one], least[other])
        np.minimum.at(least, least[one], both)
        np.minimum.at(least, least[other], both)
        while (least != least[least]).any():
            least = least[least]
    return np.unique(least, return_inverse=True)[1][runs]


def _touching(runs: Integers) -> tuple[Integers, Integers]:
    """The pairs of runs of which one touches the other from above, (n,) and (n,)."""
    upper, lower = runs[:-1], runs[1:]
    neighbours = [
        (upper, lower),
        (upper[:, 1:], lower[:, :-1]),
        (upper[:, :-1], lower[:, 1:]),
    ]
    one, other = (np.concatenate([pair[i].ravel() for pair in neighbours]) for i in (0, 1))
    both = (one > 0) & (other > 0)
    return one[both], other[both]


def _without_frames(mask: Mask) -> Mask:
    marks = Marks.of(mask)
    return marks.chosen(~marks.is_frame)


def _plausible(mask: Mask) -> Mask:
    """The mask of marks that may be digits or their parts; empty if none is large enough."""
    marks = Marks.of(mask)
    may_be = ~marks.at_border
    large = marks.size >= max(4, SMALLEST * min(mask.shape), 0.1 * marks.size.max(initial=0))
    return marks.chosen(may_be & (may_be & large).any())


def _cut_off(mask: Mask) -> Mask:
    """The mask of marks that may be digits cut off by the border; the edges of a desk are not."""
    marks = Marks.of(mask)
    shorter = min(mask.shape)
    large = marks.height >= max(4, SMALLEST_CUT_OFF * shorter)
    thin = np.minimum(marks.width, marks.height) <= THICKEST_LINE * shorter
    return marks.chosen(~marks.at_corners & ~thin & large)


# Digits


def _digits(mask: Mask) -> list[Mask]:
    """The mask of each digit, from left to right; its parts may be apart by `GAP`."""
    parts = Marks.of(mask)
    largest = parts.size.max()
    without_specks = parts.chosen(parts.size >= LEAST_PART * largest)
    near = connected_components(_dilated(without_specks, int(GAP * largest / 2)))
    groups = Marks(np.where(without_specks, near, 0))
    digits = np.flatnonzero(groups.size >= LEAST_DIGIT * groups.size.max())
    from_left = digits[np.argsort(groups.box[1][digits])]
    radius = 1 + int(EDGE * largest)
    return [_dilated(groups.labels == number + 1, radius) for number in from_left]


def _dilated(mask: Mask, radius: int) -> Mask:
    """The mask dilated by a square of side 2 * radius + 1."""
    sums = np.pad(mask, ((radius + 1, radius), (radius + 1, radius))).cumsum(axis=0).cumsum(axis=1)
    side = 2 * radius + 1
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(inside > 0)
