"""Calls of activations, and of dropout."""

import numpy as np

from backends.operations.shapes import count_pixels, input_shape
from backends.operations.values import Values
from backends.strategies import Sizes
from gpucnn.backends import Array
from gpucnn.verification.calls import Call, define, unset


def relu(sizes: Sizes, values: Values) -> Call:
    x = values.choices([-1.5, -0.0, 0, 1e-30, 1.5], *input_shape(sizes))
    return Call("relu", {"x": x, "out": values.unset(*x.shape)})


def relu_gradient(sizes: Sizes, values: Values) -> Call:
    shape = input_shape(sizes)
    return Call(
        "relu_gradient",
        {
            "output_gradient": values.reals(*shape),
            "out": values.choices([-0.0, 0, 1e-30, 1.5], *shape),
            "input_gradient": values.unset(*shape),
        },
    )


def clipped_relu(sizes: Sizes, values: Values, max_value: float = 6.0) -> Call:
    choices = [-1.5, -0.0, 0, 1e-30, 0.25, max_value, max_value + 1]
    x = values.choices(choices, *input_shape(sizes))
    return Call("clipped_relu", {"x": x, "max_value": max_value, "out": values.unset(*x.shape)})


def clipped_relu_gradient(sizes: Sizes, values: Values, max_value: float = 6.0) -> Call:
    shape = input_shape(sizes)
    return Call(
        "clipped_relu_gradient",
        {
            "output_gradient": values.reals(*shape),
            "x": values.choices([-1.5, -0.0, 0, 1e-30, 0.25, 6, 7], *shape),
            "max_value": max_value,
            "input_gradient": values.unset(*shape),
        },
    )


def leaky_relu(sizes: Sizes, values: Values, negative_slope: float = 0.3) -> Call:
    x = values.choices([-1.5, -1e-3, -0.0, 0, 1e-30, 1.5], *input_shape(sizes))
    out = values.unset(*x.shape)
    return Call("leaky_relu", {"x": x, "negative_slope": negative_slope, "out": out})


def leaky_relu_gradient(sizes: Sizes, values: Values, negative_slope: float = 0.3) -> Call:
    shape = input_shape(sizes)
    return Call(
        "leaky_relu_gradient",
        {
            "output_gradient": values.reals(*shape),
            "out": values.choices([-1.5, -0.0, 0, 1e-30, 1.5], *shape),
            "negative_slope": negative_slope,
            "input_gradient": values.unset(*shape),
        },
    )


def activation(sizes: Sizes, values: Values, operation: str, **options: float) -> Call:
    """Of an operation from `x` to `out`."""
    x = _activated(sizes, values)
    return Call(operation, {"x": x, **options, "out": values.unset(*x.shape)})


def activation_gradient(
    sizes: Sizes, values: Values, operation: str, of: str = "x", **options: float
) -> Call:
    """Of its gradient, from the argument `of`: `x`, or `out`, within what it can be."""
    at = _activated(sizes, values)
    if of == "out":
        at = define(activation(sizes, values, operation.removesuffix("_gradient")))["out"]
    return Call(
        operation,
        {
            "output_gradient": values.reals(*at.shape),
            of: at.astype(values.real),
            **options,
            "input_gradient": values.unset(*at.shape),
        },
    )


def _activated(sizes: Sizes, values: Values) -> Array:
    """What an activation may be given: around 0, where it saturates, and beyond all exponentials.

    exp(-88) is a subnormal number in float32, and -88 times it a normal one.
    """
    edges = values.choices([-1e30, -88, -30, -0.0, 0, 1e-30, 30, 1e30], *input_shape(sizes))
    return np.where(values.choices([0, 0, 1], *edges.shape), edges, 3 * values.reals(*edges.shape))


def dropout(sizes: Sizes, values: Values, rate: float = 0.4, first: int = 0) -> Call:
    shape = input_shape(sizes)
    return Call(
        "dropout",
        {
            "x": values.reals(*shape),
            "rate": rate,
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "mask": values.unset(*shape),
            "out": values.unset(*shape),
            "first": first,
        },
    )


def draw_mask(sizes: Sizes, values: Values, rate: float = 0.4, first: int = 0) -> Call:
    return Call(
        "draw_mask",
        {
            "rate": rate,
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "mask": values.unset(count_pixels(sizes), sizes.filters),
            "first": first,
        },
    )


def draw_integers(
    sizes: Sizes,
    values: Values,
    lows: tuple[int, int] = (-5, 3),
    highs: tuple[int, int] = (7, 3),
    first: int = 0,
) -> Call:
    return Call(
        "draw_integers",
        {
            "lows": lows,
            "highs": highs,
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64),
            "out": unset((count_pixels(sizes), 2), np.int32),
            "first": first,
        },
    )
