"""Calls that are bound to their arrays."""

from functools import partial
from inspect import signature
from math import inf
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.backends import Array, Calls
from gpucnn.backends.calls import LastCalls, StepCalls, bindable


class Halving:
    """What has an operation that can be bound."""

    def __init__(self) -> None:
        self.prepared = 0

    @bindable
    def halve(self, calls: Calls, numbers: Array, out: Array) -> None:
        """Write half of numbers."""
        self.prepared += 1
        calls.add(np.multiply, numbers, 0.5, out=out)
        calls.add(np.add, out, 0, out=out)


def test_calls_are_done_in_their_order_each_time() -> None:
    calls, numbers = Calls(), np.ones(3)
    calls.add(np.add, numbers, 1, out=numbers)
    calls.add(np.multiply, numbers, 2, numbers)
    calls()
    assert_array_equal(numbers, 4)
    calls()
    assert_array_equal(numbers, 10)


A, B, ROW = np.ones((7, 2, 3)), np.ones((3, 5)), np.ones(3)


@pytest.mark.parametrize(
    ("function", "arguments", "multiply_adds"),
    [
        (np.matmul, (A, B), 30),
        (np.dot, (A[0], B), 30),
        (A[0].dot, (B, np.ones((2, 5))), 30),
        (partial(np.dot, ROW), (B,), 15),
        (partial(np.dot, A[0], ROW), (), 6),
        (np.add, (A, A), 0),
        (np.add.reduce, (A,), 0),
        (np.copyto, (A, 2), 0),
        (A.__setitem__, (..., 1), 0),
        (lambda: None, (), inf),
        (Halving, (), inf),
    ],
)
def test_the_largest_product_is_known(
    function: Any, arguments: tuple[Any, ...], multiply_adds: float
) -> None:
    calls = Calls()
    calls.add(np.dot, ROW[:1], ROW[:1])
    calls.add(function, *arguments)
    calls.add(np.matmul, ROW[:1], B[:1, :0])
    assert calls.largest_product == max(multiply_adds, 1)


def test_what_follows_from_weights_is_made_now_and_when_asked_for() -> None:
    calls, weights, made = Calls(), np.zeros((2, 3), np.float32), []
    calls.follow(lambda: made.append(weights.sum()))
    assert made == [0]
    weights[1, 2] = 5
    calls()
    assert made == [0]
    calls.renew()
    assert made == [0, 5]


def test_an_operation_that_is_bound_is_prepared_once() -> None:
    halving, calls, numbers, out = Halving(), Calls(), np.ones(3), np.zeros(3)
    calls.add(halving.halve, numbers, out=out)
    assert halving.prepared == 1
    assert not out.any()
    for number in (2, 4):
        numbers.fill(number)
        calls()
        assert_array_equal(out, number / 2)
    assert halving.prepared == 1


def test_an_operation_that_can_be_bound_is_done_at_once_where_it_is_called() -> None:
    numbers, out = np.ones(3), np.zeros(3)
    Halving().halve(numbers, out)
    assert_array_equal(out, 0.5)
    assert list(signature(Halving().halve).parameters) == ["numbers", "out"]


def test_in_a_step_what_follows_from_weights_is_made_in_its_turn() -> None:
    calls = StepCalls()
    made: list[str] = []
    calls.add(made.append, "before")
    calls.follow(lambda: made.append("weights"))
    assert made == []
    calls()
    assert made == ["before", "weights"]


def test_calls_are_kept_until_they_are_asked_for_with_other_arrays() -> None:
    given = []

    def bind(calls: Calls, *arrays: Array) -> None:
        given.append(arrays)
        calls.add(np.add, *arrays, out=arrays[0])

    last, numbers, others = LastCalls(bind), np.ones(3), np.ones(3)
    first = last(numbers, others)
    assert last(numbers, others) is first
    assert last(others, others) is not first
    assert len(given) == 2
    calls = Calls()
    calls.add(first)
    calls()
    assert_array_equal(numbers, 2)
    assert_array_equal(others, 1)


def test_calls_that_were_not_all_bound_are_bound_anew() -> None:
    numbers, is_interrupted = np.ones(3), [True, False]

    def bind(calls: Calls, out: Array) -> None:
        calls.add(np.add, out, 1, out)
        if is_interrupted.pop(0):
            raise KeyboardInterrupt
        calls.add(np.multiply, out, 2, out)

    last = LastCalls(bind)
    with pytest.raises(KeyboardInterrupt):
        last(numbers)
    last(numbers)()
    assert_array_equal(numbers, 4)


def test_calls_among_calls_have_products_too() -> None:
    calls, others = Calls(), Calls()
    others.add(np.matmul, A, B)
    calls.add(others)
    assert calls.largest_product == 30
