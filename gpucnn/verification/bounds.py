"""What an operation is expected to make of a call, and how far off a device is.

How far off it may be is derived in `gpucnn.backends.ops.bounds`, and in
`gpucnn.verification.choices` for what depends on a choice among rounded numbers.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend
from gpucnn.backends.ops.bounds import Bound
from gpucnn.verification import choices
from gpucnn.verification.calls import Call, Results, define

Terms = NDArray[np.float64] | float


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
        call = self.call.with_reals(_all_positive)
        scalars = {k: abs(v) for k, v in call.arguments.items() if isinstance(v, float)}
        return define(replace(call, arguments=call.arguments | scalars))

    @cached_property
    def by_choices(self) -> Results:
        """What is allowed in results that depend on a choice."""
        return choices.allowed(self.call)

    @property
    def eps(self) -> float:
        """The spacing at 1 of the call's real numbers."""
        return float(np.finfo(self.call.real).eps)

    def allowed(self, name: str) -> Terms:
        """The difference that is allowed in the result of that name."""
        bound, limits = BOUNDS[self.call.operation][name], np.finfo(self.call.real)
        if bound.relative_to == "choices":
            return self.by_choices[name]
        roundings, tiny = bound.roundings(self.call.arguments), float(limits.tiny)
        if roundings == 0:
            return tiny if bound.flushes else 0.0
        terms = self.terms(bound, name)
        allowed = (roundings + 1) * (self.eps * terms + tiny)
        # Terms that are NaN make the right value NaN: nothing else is allowed.
        return np.where(np.isnan(terms), 0.0, np.where(terms > limits.max, np.inf, allowed))

    def terms(self, bound: Bound, name: str) -> Terms:
        """What the roundings of a result are relative to."""
        if bound.relative_to == "terms":
            return self.absolute[name]
        if bound.relative_to == "result":
            return np.abs(self.right[name])
        return 1 / float(self.call.arguments["images"]) if bound.relative_to == "mean" else 1.0

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
        if not difference.any():
            return Deviation(0.0, float(allowed.flat[0]))
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
        apart: NDArray[np.float64] = np.abs(np.subtract(actual, rounded, dtype=np.float64))
    if np.isfinite(apart).all():
        return apart
    is_same = (actual == rounded) | ((actual != actual) & (rounded != rounded))
    return np.where(is_same, 0.0, np.nan_to_num(apart, nan=np.inf, posinf=np.inf))


def _shares(difference: Terms, allowed: Terms) -> NDArray[np.float64]:
    """Differences as shares of what is allowed: none where there is none, or all is allowed."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        shares = np.divide(difference, allowed)
    return np.where(np.isnan(shares), 0.0, shares)  # of none in none, and of infinities


def _all_positive(name: str, array: Array) -> Array:
    return -np.abs(array) if name == "learning_rate" else np.abs(array)


BOUNDS: dict[str, dict[str, Bound]] = {
    name: operation.bounds
    for family in Backend.__mro__
    for name, operation in vars(family).items()
    if hasattr(operation, "bounds")
}
"""The bound of every result of every operation: of each argument that it writes."""

UPDATED = frozenset(
    {
        *("parameters", "velocity", "mean", "square", "average", "total", "penalties"),
        *("position", "epoch_losses", "epoch_correct", "probabilities", "all_outputs"),
        *("values", "y"),
    }
)
"""The arguments that are read before they are written, or written in part, in any operation."""

UPDATED_BY = {
    "store_part": frozenset({"whole"}),
    "weigh_rows": frozenset({"losses", "gradient"}),
    "penalize": frozenset({"gradients"}),
}
"""Further ones of one operation, which others write as a whole, or only read."""


def overwritten(operation: str) -> frozenset[str]:
    """The arguments that an operation writes as a whole, without reading them before."""
    return frozenset(BOUNDS[operation]) - UPDATED - UPDATED_BY.get(operation, frozenset())
