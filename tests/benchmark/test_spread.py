from math import comb

import numpy as np
import pytest

from benchmark.example import ROUNDS
from expect import refusal
from gpucnn.benchmark.spread import (
    CONFIDENCE,
    LEAST_ROUNDS,
    Spread,
    median_interval,
    paired_ratio,
    quartiles,
)


def test_quartiles() -> None:
    assert quartiles([5, 1, 3, 2, 4]) == Spread(2, 3, 4)
    assert quartiles([7]) == Spread(7, 7, 7)


def test_a_paired_ratio_does_not_see_what_slows_both() -> None:
    first = [1.0, 1.0, 5.0]
    assert paired_ratio([2.0, 2.0, 10.0], first) == Spread(2, 2, 2)
    assert paired_ratio([2.0, 4.0, 15.0], first).median == 3


def test_a_paired_ratio_needs_the_same_rounds() -> None:
    with pytest.raises(ValueError, match="longer"):
        paired_ratio([1.0], [1.0, 2.0])


def test_the_interval_of_eleven_rounds() -> None:
    """Conover's table: the second of eleven from either end, with 98.8 %."""
    assert median_interval(ROUNDS) == (0.98, 1.02)


@pytest.mark.parametrize("count", [LEAST_ROUNDS, 8, 11, 25, 100])
def test_the_interval_is_the_narrowest_that_is_sure_enough(count: int) -> None:
    low, high = median_interval(range(count))
    assert low == count - 1 - high
    assert coverage(count, int(low)) >= CONFIDENCE > coverage(count, int(low) + 1)


def coverage(count: int, left_out: int) -> float:
    """How often the median lies between two order statistics, by the sum over what is between."""
    between = range(left_out + 1, count - left_out)
    return float(sum(comb(count, below) for below in between) / 2**count)


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    samples = np.random.default_rng(0).exponential(size=(2000, 11))
    intervals = [median_interval(list(sample)) for sample in samples]
    held = np.mean([low <= np.log(2) <= high for low, high in intervals])
    assert held == pytest.approx(0.988, abs=0.01)


def test_too_few_rounds() -> None:
    with refusal("6 rounds do not tell a change from noise: measure at least 7"):
        median_interval([1.0] * 6)
