"""Calls of batch normalization."""

from typing import Any

from backends.operations.shapes import count_pixels, output_shape
from backends.operations.values import Values
from backends.strategies import Sizes
from gpucnn.backends import Array
from gpucnn.verification.calls import Call


def channel_means(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    x = values.reals(*_normalized(sizes, vectors))
    arguments = {"x": x, "count": 2 * _count(x), "means": values.unset(sizes.filters)}
    return Call("channel_means", arguments)


def channel_variances(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    x = values.reals(*_normalized(sizes, vectors))
    return Call(
        "channel_variances",
        {
            "x": x,
            "means": values.reals(sizes.filters),
            "count": 2 * _count(x),
            "variances": values.unset(sizes.filters),
        },
    )


def normalize(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    x = values.reals(*_normalized(sizes, vectors))
    return Call(
        "normalize",
        {
            "x": x,
            **_statistics(sizes, values),
            "gamma": values.reals(sizes.filters),
            "beta": values.reals(sizes.filters),
            "out": values.unset(*x.shape),
        },
    )


def normalize_gradient_sums(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    shape = _normalized(sizes, vectors)
    return Call(
        "normalize_gradient_sums",
        {
            "output_gradient": values.reals(*shape),
            "x": values.reals(*shape),
            **_statistics(sizes, values),
            "gamma_gradient": values.unset(sizes.filters),
            "beta_gradient": values.unset(sizes.filters),
        },
    )


def normalize_gradient(sizes: Sizes, values: Values, *, vectors: bool = False) -> Call:
    x = values.reals(*_normalized(sizes, vectors))
    return Call(
        "normalize_gradient",
        {
            "output_gradient": values.reals(*x.shape),
            "x": x,
            **_statistics(sizes, values),
            "gamma": values.reals(sizes.filters),
            "gamma_sum": values.reals(sizes.filters),
            "beta_sum": values.reals(sizes.filters),
            "count": 2 * _count(x),
            "input_gradient": values.unset(*x.shape),
        },
    )


def _normalized(sizes: Sizes, vectors: bool) -> tuple[int, ...]:
    """The shape of a batch that is normalised, of as many channels as there are filters."""
    return (count_pixels(sizes), sizes.filters) if vectors else output_shape(sizes, sizes.filters)


def _count(x: Array) -> int:
    """The elements of a channel."""
    return int(x.size // x.shape[-1])


def _statistics(sizes: Sizes, values: Values) -> dict[str, Any]:
    """Means and variances, of which some are 0."""
    variances = abs(values.reals(sizes.filters)) * values.choices([0, 1], sizes.filters)
    return {"means": values.reals(sizes.filters), "variances": variances, "epsilon": 1e-3}
