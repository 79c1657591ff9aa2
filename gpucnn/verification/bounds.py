"""How far a result may be from the exact one, derived from what its operation computes.

Below, eps is the spacing of the floating-point numbers at 1. A rounding has a relative error of at
most u = eps / 2.

Moves and comparisons have no rounding, and a result of one rounding is the same on every device
that follows IEEE 754: `EXACT`. A product is so too, down to the smallest normal number: `PRODUCT`.

A sum of n products in any order, with or without fused multiply-adds, is off by at most
n u / (1 - n u) times the sum of the absolute products (Higham, "Accuracy and stability of numerical
algorithms", section 3.1). The right value is computed in float64, so for a float64 result it is as
far off itself; n eps covers both to first order, and one more eps what is left: (n + 1) eps times
the sum of the absolute products. That sum is what the operation gives for the absolute values of
its arguments: `Expected.absolute`.

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
error in the right value, as above, twice that.

Results below the smallest normal number may be zero, as CUDA flushes them, and so may the terms of
a sum: the smallest normal number for each rounding. Moves copy such numbers bit by bit. Outside the
promise is what comparisons, and products with factors above 1, make of them as arguments: where a
device takes them for zeros, another element may be the maximum, a gradient may end at an output
that is hardly above zero, and a product may lack what a large factor makes of them.

One rule for what is not finite, or not in the dtype of the result, to which the right value is
rounded: a result is to be infinite or NaN where the right value is, and the same, NaN being equal
to NaN; otherwise it is infinitely far off. Only where terms add up to more than the greatest number
is anything allowed: there, a sum may overflow in one order and not in another. Outside the promise
is an overflow before the terms, such as that of a gradient's square.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends.base import Array
from gpucnn.verification.calls import Call, Results, define

Terms = NDArray[np.float64] | float


@dataclass(frozen=True)
class Bound:
    """How far a result may be off: as many eps as it has roundings, and one more, of its terms.

    Args:
        roundings: how many for a call; none for a result that is to be exact.
        terms: what they are relative to, for what is expected of a call and the name of a result:
            float64, of its shape or one number.
        flushes: whether a result without roundings may be zero below the smallest normal number.
    """

    roundings: Callable[[Call], float]
    terms: "Callable[[Expected, str], Terms]"
    flushes: bool = False

    @property
    def is_relative(self) -> bool:
        """Whether the terms are the result itself: a product, or a sum of which no term cancels."""
        return self.terms is _itself


@dataclass(frozen=True)
class Deviation:
    """A difference from the right value, and what is allowed there."""

    difference: float
    allowed: float

    @property
    def share(self) -> float:
        """The difference as a share of what is allowed: above 1 it is too large."""
        return float(_shares(self.difference, self.allowed))


@dataclass(frozen=True)
class Expected:
    """What the arrays of a call should hold after it, and how far off they may be.

    Args:
        call: the call.
        right: the right values of what it writes, in float64.
    """

    call: Call
    right: Results

    @cached_property
    def absolute(self) -> Results:
        """The sums of the absolute terms of the results, where these are sums."""
        return define(self.call.with_reals(_all_positive))

    @property
    def eps(self) -> float:
        """The spacing at 1 of the call's real numbers."""
        return float(np.finfo(self.call.real).eps)

    def allowed(self, name: str) -> Terms:
        """The difference that is allowed in the result of that name."""
        bound, limits = BOUNDS[self.call.operation][name], np.finfo(self.call.real)
        roundings, tiny = bound.roundings(self.call), float(limits.tiny)
        if roundings == 0:
            return tiny if bound.flushes else 0.0
        terms = bound.terms(self, name)
        allowed = (roundings + 1) * (self.eps * terms + tiny)
        # Terms that are NaN make the right value NaN: nothing else is allowed.
        return np.where(np.isnan(terms), 0.0, np.where(terms > limits.max, np.inf, allowed))

    def deviation(self, name: str, actual: Array) -> Deviation:
        """The difference of an array that is the greatest share of what is allowed.

        An array that is not written is to be what it was.
        """
        is_written = name in BOUNDS[self.call.operation]
        right = self.right[name] if is_written else self.call.arrays[name]
        difference = distance(actual, right)
        allowed = np.broadcast_to(self.allowed(name) if is_written else 0.0, difference.shape)
        if difference.size == 0:
            return Deviation(0.0, 0.0)
        worst = np.argmax(_shares(difference, allowed))
        return Deviation(float(difference.flat[worst]), float(allowed.flat[worst]))


def expect(call: Call) -> Expected:
    """What the definition of its operation expects of a call."""
    return Expected(call, define(call))


def distance(actual: Array, right: Array) -> NDArray[np.float64]:
    """How far numbers are from the right ones, rounded to their dtype.

    NaN is as far from NaN as an infinity from itself, not at all, and from all else infinitely.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = right.astype(actual.dtype)
        apart = np.abs(np.subtract(actual, rounded, dtype=np.float64))
    is_same = (actual == rounded) | ((actual != actual) & (rounded != rounded))
    return np.where(is_same, 0.0, np.nan_to_num(apart, nan=np.inf, posinf=np.inf))


def _shares(difference: Terms, allowed: Terms) -> NDArray[np.float64]:
    """Differences as shares of what is allowed: none where there is none, or all is allowed."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        shares = np.divide(difference, allowed)
    return np.where((np.asarray(difference) == 0) | np.isinf(allowed), 0.0, shares)


# What roundings are relative to


def _absolute_terms(expected: Expected, name: str) -> Terms:
    return expected.absolute[name]


def _itself(expected: Expected, name: str) -> Terms:
    return np.abs(expected.right[name])


def _one(expected: Expected, name: str) -> Terms:
    return 1.0


def _one_for_all_images(expected: Expected, name: str) -> Terms:
    return 1 / float(expected.call.arguments["images"])


def _all_positive(name: str, array: Array) -> Array:
    return -np.abs(array) if name == "learning_rate" else np.abs(array)


# How many roundings

Count = Callable[[Call], float]


def _always(count: int) -> Count:
    return lambda call: count


def _inner(call: Call) -> float:
    """Those of a product of matrices, and its bias."""
    a = call.arguments["a"]
    return float(a.shape[0 if call.arguments["transpose_a"] else 1] + 1)


def _rows(call: Call) -> float:
    return float(len(call.arguments["a"]))


def _patch(call: Call) -> float:
    """Those of a convolution, and its bias."""
    return float(call.arguments["patches"].shape[-1] + 1)


def _positions(call: Call) -> float:
    return float(prod(call.arguments["output_gradient"].shape[:-1]))


def _filters(call: Call) -> float:
    return float(call.arguments["output_gradient"].shape[-1])


def _window(call: Call) -> float:
    return float(call.arguments["window"].elements)


def _filters_and_window(call: Call) -> float:
    return _filters(call) + _window(call)


def _normalization(call: Call) -> float:
    """Those of pixel / 255 - 0.5, where pixels are bytes: two, of numbers of at most 1."""
    return 2.0 if call.arguments["images"].dtype == np.uint8 else 0.0


def _adam(call: Call) -> float:
    t = int(call.arguments["step"][0])
    decays = [float(call.arguments[name]) for name in ("beta_1", "beta_2")]
    cancelled = sum(2 / (1 - decay**t) for decay in decays)
    finer = float(np.finfo(np.float64).eps / np.finfo(call.real).eps)
    return 13.0 + ceil(cancelled * finer)


def _softmax(call: Call) -> float:
    logits = call.arguments["logits"].astype(np.float64)
    finite = logits[np.isfinite(logits)]
    spread, classes = float(np.ptp(finite)) if finite.size else 0.0, int(logits.shape[1])
    return 2 * (5 + 3 * classes + 2 * spread) - 1


# All results


def _sums(roundings: Count) -> Bound:
    return Bound(roundings, _absolute_terms)


EXACT = Bound(_always(0), _one)
PRODUCT = Bound(_always(0), _one, flushes=True)

BOUNDS: dict[str, dict[str, Bound]] = {
    "gather_images": {"out": Bound(_normalization, _one)},
    "gather_labels": {"out": EXACT},
    "matmul": {"out": _sums(_inner)},
    "sum_rows": {"out": _sums(_rows)},
    "multiply": {"out": PRODUCT},
    "accumulate": {"total": _sums(_always(1))},
    "im2col": {"patches": EXACT},
    "col2im": {"out": _sums(_window)},
    "conv2d": {"patches": EXACT, "out": _sums(_patch)},
    "conv2d_parameter_gradients": {
        "kernel_gradient": _sums(_positions),
        "bias_gradient": _sums(_positions),
    },
    "conv2d_input_gradient": {
        "patches": _sums(_filters),
        "input_gradient": _sums(_filters_and_window),
    },
    "max_pool": {"out": EXACT, "argmax": EXACT},
    "max_pool_gradient": {"input_gradient": _sums(_window)},
    "relu": {"out": EXACT},
    "relu_gradient": {"input_gradient": EXACT},
    "dropout": {"mask": EXACT, "out": Bound(_always(2), _itself)},
    "softmax": {"out": Bound(_softmax, _itself)},
    "softmax_cross_entropy": {
        "losses": Bound(_softmax, _one),
        "correct": EXACT,
        "gradient": Bound(_softmax, _one_for_all_images),
    },
    "sgd": {"parameters": _sums(_always(8)), "velocity": _sums(_always(3))},
    "adam": {
        "parameters": _sums(_adam),
        "mean": _sums(_always(4)),
        "square": Bound(_always(5), _itself),
    },
}
"""The bound of every result of every operation: of each argument that it writes."""

UPDATED = frozenset({"parameters", "velocity", "mean", "square", "total"})
"""The arguments that are read before they are written."""
