"""The maxima over the windows of a pooling: the comparisons that find them, and undo it."""

from collections.abc import Sequence

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.memory import Array

Comparison = tuple[Array, Array, Array]
"""The best scores so far, the scores to compare them with, and whether these are greater."""


def comparisons(scores: Array, outcomes: Array) -> list[Comparison]:
    """The comparisons that find the maximum over the offsets, the first among equals in a window.

    The columns of each row of a window are compared first, then its rows.

    Args:
        scores: real (columns, rows, ...).
        outcomes: bool (columns, rows, ...), to which the outcomes are written; [0, 0] is not used.
    """
    columns = zip(scores[1:], outcomes[1:], strict=True)
    rows = zip(scores[0, 1:], outcomes[0, 1:], strict=True)
    return [
        *((scores[0], other, greater) for other, greater in columns),
        *((scores[0, 0], other, greater) for other, greater in rows),
    ]


def add_maxima(compared: Sequence[Comparison], calls: Calls) -> None:
    """Add the calls of comparisons, which leave the maxima in the first offset's scores."""
    for best, other, greater in compared:
        calls.add(np.greater, other, best, greater)
        calls.add(np.maximum, best, other, out=best)


def add_choice(compared: Sequence[Comparison], calls: Calls) -> None:
    """Add the calls that compute the gradients of the scores from the gradients of the maxima.

    Undoing the comparisons from the last to the first, each passes the gradient to the greater
    score and leaves 0 for the other.
    """
    for best, other, greater in reversed(compared):
        calls.add(np.multiply, best, greater, other)
        calls.add(np.subtract, best, other, best)
