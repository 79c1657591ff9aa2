"""What bounds make of numbers at both ends of a dtype, and of what is no number."""

from math import inf, nan
from typing import Any

import numpy as np
import pytest

from gpucnn.backends import Backend
from gpucnn.verification.bounds import Deviation, expect
from gpucnn.verification.calls import Call, unset

TINY = float(np.finfo(np.float32).tiny)


def share(operation: str, actual: float, arguments: dict[str, Any]) -> float:
    """The share of what is allowed that a result has of which all elements are `actual`."""
    reals = {name: np.array(value, np.float32) for name, value in arguments.items()}
    call = Call(operation, reals)
    with Backend().session():
        expected = expect(call)
        out = np.full(reals["out"].shape, actual, np.float32)
        return expected.deviation("out", out).share


def product(a: float, b: float, actual: float) -> float:
    return share("multiply", actual, {"a": [a], "b": [b], "out": [0]})


def total(terms: list[float], actual: float) -> float:
    return share("sum_rows", actual, {"a": [[term] for term in terms], "out": [0]})


def test_a_product_may_be_flushed() -> None:
    assert product(1e-20, 1e-20, 0) <= 1


@pytest.mark.parametrize("a", [1.0, 1e-20])
def test_a_normal_product_is_exact(a: float) -> None:
    right = np.float32(a) * np.float32(3)
    assert product(a, 3, float(right)) == 0
    assert product(a, 3, float(np.nextafter(right, np.float32(inf)))) > 1


@pytest.mark.parametrize("flushed", [0.0, 3e-39])
def test_a_move_is_exact_of_the_smallest_numbers_too(flushed: float) -> None:
    assert share("relu", flushed, {"x": [TINY / 2], "out": [0]}) == inf


@pytest.mark.parametrize(("a", "b", "right"), [(1e30, 1e30, inf), (inf, 0, nan), (nan, 1, nan)])
def test_a_product_that_is_no_number_is_to_be_the_same(a: float, b: float, right: float) -> None:
    assert product(a, b, right) == 0
    assert product(a, b, 1) == product(a, b, -inf) == inf


@pytest.mark.parametrize("actual", [inf, nan])
def test_a_number_is_not_to_be_anything_else(actual: float) -> None:
    assert product(1, 1, actual) == inf
    assert total([1, 1], actual) == inf


def test_a_sum_of_nan_is_nan() -> None:
    assert total([nan, 1], nan) == 0
    assert total([nan, 1], 1.0) == inf


@pytest.mark.parametrize("actual", [inf, nan, 1e38])
def test_a_sum_that_may_overflow_may_be_anything(actual: float) -> None:
    assert total([3e38, 3e38, -3e38], actual) == 0


def test_one_row_of_logits_that_is_no_number_leaves_the_others_their_bounds() -> None:
    logits = np.array([[nan, 0], [0, 0]], np.float32)
    arguments = {
        "position": np.array([0, 1]),
        "logits": logits,
        "probabilities": unset(logits.shape, np.float32),
        "batch_size": len(logits),
    }
    call = Call("store_probabilities", arguments)
    expected = expect(call)
    off = np.array([[nan, nan], [0.5, 0.5 + 1e-7]], np.float32)
    assert 0 < expected.deviation("probabilities", off).share <= 1
    off[1, 0] = 0.6
    assert expected.deviation("probabilities", off).share > 1


def test_nothing_is_a_share_of_nothing_or_of_everything() -> None:
    assert Deviation(0, 0).share == 0
    assert Deviation(inf, inf).share == 0
    assert Deviation(1, 0).share == inf
