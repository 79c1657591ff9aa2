"""Calls that are bound to their arrays."""

import numpy as np
from numpy.testing import assert_array_equal

from gpucnn.backends import Calls


def test_calls_are_done_in_their_order_each_time() -> None:
    calls, numbers = Calls(), np.ones(3)
    calls.add(np.add, numbers, 1, out=numbers)
    calls.add(np.multiply, numbers, 2, numbers)
    calls()
    assert_array_equal(numbers, 4)
    calls()
    assert_array_equal(numbers, 10)


def test_what_follows_from_weights_is_made_now_and_when_asked_for() -> None:
    calls, weights, made = Calls(), np.zeros((2, 3), np.float32), []
    calls.follow(lambda: made.append(weights.sum()))
    assert made == [0]
    weights[1, 2] = 5
    calls()
    assert made == [0]
    calls.renew()
    assert made == [0, 5]
