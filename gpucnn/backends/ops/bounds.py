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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, Literal, TypeVar

import numpy as np

Arguments = Mapping[str, Any]
"""Those of a call of an operation, by name."""

Count = Callable[[Arguments], float]
"""The roundings of a call: the most that a term of a result goes through."""

Operation = TypeVar("Operation", bound=Callable[..., None])


@dataclass(frozen=True)
class Bound:
    """How far a result may be off: one eps more than its roundings, relative to its terms.

    Args:
        roundings: of a call; 0 for a result that is to be exact.
        relative_to: "terms", the sum of the absolute terms of the result; "result", itself, for a
            product or a sum in which no term cancels; "one"; or "mean", one over the images of the
            batch.
        flushes: whether a result without roundings may be zero below the smallest normal number.
    """

    roundings: Count
    relative_to: Literal["terms", "result", "one", "mean"]
    flushes: bool = False


def bounded(**bounds: Bound) -> Callable[[Operation], Operation]:
    """Give the definition of an operation the bound of each argument that it writes, by name."""

    def give(operation: Operation) -> Operation:
        operation.bounds = bounds  # type: ignore[attr-defined]
        return operation

    return give


def sums(roundings: Count) -> Bound:
    """The bound of sums whose terms go through so many roundings."""
    return Bound(roundings, "terms")


# How many roundings


def always(count: int) -> Count:
    """So many for every call."""
    return lambda arguments: count


def inner(arguments: Arguments) -> float:
    """Those of a product of matrices, and its bias."""
    a = arguments["a"]
    return float(a.shape[0 if arguments["transpose_a"] else 1] + 1)


def rows(arguments: Arguments) -> float:
    """Those of a sum over the rows of a matrix."""
    return float(len(arguments["a"]))


def patch(arguments: Arguments) -> float:
    """Those of a convolution, and its bias."""
    return float(arguments["patches"].shape[-1] + 1)


def positions(arguments: Arguments) -> float:
    """Those of a sum over all positions of all images."""
    return float(prod(arguments["output_gradient"].shape[:-1]))


def filters(arguments: Arguments) -> float:
    """Those of a sum over the filters."""
    return float(arguments["output_gradient"].shape[-1])


def window_elements(arguments: Arguments) -> float:
    """Those of a sum over the windows that cover a pixel, at most the elements of one."""
    return float(arguments["window"].elements)


def filters_and_window(arguments: Arguments) -> float:
    """Those of products over the filters that `col2im` adds up."""
    return filters(arguments) + window_elements(arguments)


def normalization(arguments: Arguments) -> float:
    """Those of pixel / 255 - 0.5, where pixels are bytes: two, of numbers of at most 1."""
    return 2.0 if arguments["images"].dtype == np.uint8 else 0.0


def adam_roundings(arguments: Arguments) -> float:
    """Those of a step of Adam, see above."""
    t = int(arguments["step"][0])
    decays = [float(arguments[name]) for name in ("beta_1", "beta_2")]
    cancelled = sum(2 / (1 - decay**t) for decay in decays)
    finer = float(np.finfo(np.float64).eps / np.finfo(real_dtype(arguments)).eps)
    return 13.0 + ceil(cancelled * finer)


def softmax_roundings(arguments: Arguments) -> float:
    """Those of a row of logits, see above."""
    logits = arguments["logits"].astype(np.float64)
    finite = logits[np.isfinite(logits)]
    spread, classes = float(np.ptp(finite)) if finite.size else 0.0, int(logits.shape[1])
    return 2 * (5 + 3 * classes + 2 * spread) - 1


def real_dtype(arguments: Arguments) -> "np.dtype[np.floating]":
    """The floating-point dtype of a call; float64 without any array of reals."""
    dtypes = (value.dtype for value in arguments.values() if isinstance(value, np.ndarray))
    return next((dtype for dtype in dtypes if dtype.kind == "f"), np.dtype(np.float64))


EXACT = Bound(always(0), "one")
PRODUCT = Bound(always(0), "one", flushes=True)
