"""How far a result may be from the exact one, derived from what its operation computes.

Below, eps is the spacing of the floating-point numbers at 1. A rounding has a relative error of at
most u = eps / 2.

Moves and comparisons have no rounding, and a result of one rounding is the same on every device
that follows IEEE 754: `exact`.

A sum of n products in any order, with or without fused multiply-adds, is off by at most
n u / (1 - n u) times the sum of the absolute products (Higham, "Accuracy and stability of numerical
algorithms", section 3.1). The right value is computed in float64, so for a float64 result it is as
far off itself; n eps covers both to first order, and one more eps what is left: (n + 1) eps times
the sum of the absolute products. That sum is what the operation gives for the absolute values of
its arguments: `roundings(n)`.

The same holds for any formula of sums and products, n being the most roundings that a term goes
through, and for the optimizers, whose terms all add up if the learning rate is negative: a
quotient or a root of a positive number rounds once, and a root halves the errors before it.

Adam's terms go through 13 roundings at most. Its factor sqrt(1 - beta_2^t) / (1 - beta_1^t) is a
number of the host's, in float64; but there the power, off by 1 eps of float64, is subtracted from
1, which makes it 1 / (1 - beta^t) eps relative to the difference: as many roundings, and twice that
since the right value has them too, scaled by how much finer float64 is.

A row of logits z, of which the greatest has been subtracted, gives s = sum_j exp(z_j). Rounding z
is an error of |z| u in the exponent, thus of |z| u relative to exp(z), to which exp itself may add
2 eps (CUDA's guarantee; NumPy's is better). In s that makes 2 eps, plus (classes / e) u since
|z| exp(z) <= 1 / e and s >= 1, plus (classes - 1) u for adding: below (2 + classes) eps. The
quotient exp(z) / s has the errors of both and one rounding: below (5 + classes + |z|) eps. The loss
log(s) - z has s's relative error as an absolute one, 1 eps of log(s) < classes for the logarithm,
and two roundings of at most |z| and |z| + classes: below (2 + 3 classes + 2 |z|) eps. For the same
error in the right value, as above, twice that. Results below the smallest normal number may be
zero, as CUDA flushes them.
"""

from math import ceil

import numpy as np
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from backends.call import Bound, Call, Results, define
from gpucnn.backends import Array


def assert_agrees(call: Call, actual: Results, expected: Results) -> None:
    """Fail unless what a call wrote is within its bounds of the right values, in float64."""
    for name, bound in call.outputs.items():
        if bound is exact:
            assert_array_equal(actual[name], expected[name].astype(actual[name].dtype), name)
            continue
        error = np.abs(actual[name] - expected[name])
        allowed = np.broadcast_to(bound(call, name, expected[name]), error.shape)
        wrong = ~(error <= allowed)  # also where the error is NaN
        assert not wrong.any(), f"{name}: {error[wrong]} is more than {allowed[wrong]}"


def exact(call: Call, name: str, expected: Array) -> float:
    return 0.0


def roundings(count: int) -> Bound:
    """The bound for sums whose terms go through `count` roundings at most."""

    def bound(call: Call, name: str, expected: Array) -> NDArray[np.float64]:
        terms: NDArray[np.float64] = define(call.with_reals(_all_positive))[name]
        return (count + 1) * _eps(call) * terms

    return bound


def adam_change(call: Call, name: str, expected: Array) -> NDArray[np.float64] | float:
    t = int(call.arguments["step"][0])
    cancelled = sum(2 / (1 - call.arguments[beta] ** t) for beta in ("beta_1", "beta_2"))
    finer = np.finfo(np.float64).eps / _eps(call)
    return roundings(13 + ceil(cancelled * finer))(call, name, expected)


def normalization(call: Call, name: str, expected: Array) -> float:
    """The bound for pixel / 255 - 0.5: two roundings, of numbers of at most 1."""
    return 3 * _eps(call)  # for the two, and one for the right value


def probability(call: Call, name: str, expected: Array) -> NDArray[np.float64]:
    bound: NDArray[np.float64] = _logit_error(call) * expected + np.finfo(call.real).tiny
    return bound


def loss(call: Call, name: str, expected: Array) -> float:
    return _logit_error(call)


def loss_gradient(call: Call, name: str, expected: Array) -> float:
    """The bound for (probability - 1 or 0) / rows, neither of which is above 1."""
    return _logit_error(call) / len(expected)


def _all_positive(name: str, array: Array) -> Array:
    return -np.abs(array) if name == "learning_rate" else np.abs(array)


def _logit_error(call: Call) -> float:
    logits = call.arguments["logits"].astype(np.float64)
    spread, classes = float(np.ptp(logits)), int(logits.shape[1])
    return 2 * _eps(call) * (5 + 3 * classes + 2 * spread)


def _eps(call: Call) -> float:
    return float(np.finfo(call.real).eps)
