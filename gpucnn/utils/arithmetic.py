"""Integer arithmetic."""

from collections.abc import Iterator


def ceil_div(count: int, size: int) -> int:
    """The quotient of two whole numbers, rounded up: the groups of `size` that hold `count`."""
    return -(-count // size)


def slices(count: int, most: int) -> Iterator[slice]:
    """Split the range from 0 to `count` into as few slices of at most `most`, or 1, as can be.

    They are equally long; the last may be shorter.
    """
    each = ceil_div(count, ceil_div(count, max(most, 1)))
    for first in range(0, count, each):
        yield slice(first, min(first + each, count))
