"""The middle of repeated measurements, how far they spread, and how sure the middle is."""

from collections.abc import Sequence
from itertools import accumulate
from math import comb, sqrt
from typing import NamedTuple

import numpy as np

from gpucnn.errors import InvalidValueError

CONFIDENCE = sqrt(0.95)  # of one median's interval, so that those of two hold at once in 95 %
LEAST_ROUNDS = 7  # the extremes of fewer hold their median between them less often than that


class Spread(NamedTuple):
    """A median, and the quartiles below and above it."""

    low: float
    median: float
    high: float


def quartiles(values: Sequence[float]) -> Spread:
    """The median of some values, at least one, and their quartiles."""
    return Spread(*map(float, np.percentile(values, (25, 50, 75))))


def paired_ratio(seconds: Sequence[float], first: Sequence[float]) -> Spread:
    """How many times as long something took as something else, round by round.

    What disturbs a round disturbs both, and mostly cancels, as it does not between medians.

    Args:
        seconds: of each round.
        first: of what it is compared with, in the same rounds.
    """
    return quartiles([mine / other for mine, other in zip(seconds, first, strict=True)])


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the median lies that ever more values like these would have, with `CONFIDENCE`.

    The interval ends at two of the values, as many places from either end: how many of them fall
    below the true median is binomial, whatever their distribution (Conover, "Practical
    Nonparametric Statistics", third edition, 1999, section 3.2). It takes them to be independent.

    Raises:
        InvalidValueError: the values are fewer than `LEAST_ROUNDS`.
    """
    count = len(values)
    if count < LEAST_ROUNDS:
        raise InvalidValueError(
            f"{count} rounds do not tell a change from noise: measure at least {LEAST_ROUNDS}"
        )
    ordered = sorted(values)
    left_out = _left_out(count)
    return ordered[left_out], ordered[count - 1 - left_out]


def _left_out(count: int) -> int:
    """How many of `count` ordered values lie outside the interval, at either end."""
    tails = accumulate(comb(count, below) / 2**count for below in range(count))
    return len([tail for tail in tails if 2 * tail <= 1 - CONFIDENCE]) - 1
