"""Calls that update parameters, and of penalties and norms."""

import numpy as np

from backends.operations.shapes import count_pixels, input_shape
from backends.operations.values import Values
from backends.strategies import Sizes
from gpucnn.backends.ops.training.norms import PIECE
from gpucnn.verification.calls import Call


def penalize(sizes: Sizes, values: Values, *, elements: int = 0) -> Call:
    count = elements or count_pixels(sizes)
    return Call(
        "penalize",
        {
            "parameters": values.reals(count),
            "factors": abs(values.reals(count)) * values.choices([0, 1], count),
            "gradients": values.reals(count),
            "position": np.array([1, 7]),
            "penalties": values.reals(3),
        },
    )


def axpby(sizes: Sizes, values: Values, alpha: float = 1.7, beta: float = -0.3) -> Call:
    shape = input_shape(sizes)
    x, y = values.reals(*shape), values.reals(*shape)
    return Call("axpby", {"x": x, "y": y, "alpha": alpha, "beta": beta})


def clip(sizes: Sizes, values: Values) -> Call:
    return Call("clip", {"values": values.reals(*input_shape(sizes)), "limit": 0.7})


def clip_norms(sizes: Sizes, values: Values, *, nan_if_infinite: bool = False) -> Call:
    """Of arrays shorter and longer than the limit, and some of several pieces."""
    lengths = count_pixels(sizes), 1, sizes.filters, PIECE + 1
    scales = [values.choices([0.01, 1], 1) / length**0.5 for length in lengths]
    arrays = [values.reals(length) * scale for length, scale in zip(lengths, scales, strict=True)]
    return Call(
        "clip_norms",
        {
            "values": np.concatenate(arrays),
            "sizes": lengths,
            "limit": 0.5,
            "nan_if_infinite": nan_if_infinite,
        },
    )


def unit_norm(sizes: Sizes, values: Values, *, more: int = 0) -> Call:
    array = values.reals(count_pixels(sizes) + more)
    return Call("unit_norm", {"values": array, "epsilon": 0.1})  # of a size that shows


def sgd(
    sizes: Sizes,
    values: Values,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    keeps_velocity: bool = True,
) -> Call:
    count = count_pixels(sizes)
    return Call(
        "sgd",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count),
            "velocity": values.reals(count) if keeps_velocity else None,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
        },
    )


def adam(sizes: Sizes, values: Values, weight_decay: float = 0.0) -> Call:
    count = count_pixels(sizes)
    return Call(
        "adam",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count),
            "mean": values.reals(count),
            "square": values.reals(count) ** 2,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "bias_correction": values.choices([0.3, 1.2], 1),
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-3,  # of a size that shows
            "weight_decay": weight_decay,
        },
    )


def rmsprop(
    sizes: Sizes,
    values: Values,
    momentum: float = 0.9,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> Call:
    count = count_pixels(sizes)
    mean = values.reals(count)
    return Call(
        "rmsprop",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count),
            "square": mean**2 + values.reals(count) ** 2 + 0.5,
            "velocity": values.reals(count),
            "mean": mean if centered else None,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "rho": 0.9,
            "momentum": momentum,
            "epsilon": 0.1,  # of a size that shows
            "weight_decay": weight_decay,
        },
    )


def rmsprop_without_variance(sizes: Sizes, values: Values) -> Call:
    """Of mean squares below the squares of the means, as rounding may leave them."""
    call = rmsprop(sizes, values, centered=True)
    return Call("rmsprop", call.arguments | {"square": call.arguments["mean"] ** 2 / 2})


def adagrad(sizes: Sizes, values: Values, weight_decay: float = 0.0) -> Call:
    count = count_pixels(sizes)
    return Call(
        "adagrad",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count),
            "square": values.reals(count) ** 2,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "epsilon": 0.1,  # of a size that shows
            "weight_decay": weight_decay,
        },
    )


def lion(sizes: Sizes, values: Values, weight_decay: float = 0.0) -> Call:
    count = count_pixels(sizes)
    scale = values.choices([0, 1, 1, 1], count)  # a direction of 0 is one of its own
    return Call(
        "lion",
        {
            "parameters": values.reals(count),
            "gradients": values.reals(count) * scale,
            "mean": values.reals(count) * scale,
            "learning_rate": values.choices([0.1, 0.01], 1),
            "beta_1": 0.7,
            "beta_2": 0.9,
            "weight_decay": weight_decay,
        },
    )


def momentum(sizes: Sizes, values: Values, nesterov: bool = True) -> Call:
    count = count_pixels(sizes)
    return Call(
        "momentum",
        {
            "gradients": values.reals(count),
            "velocity": values.reals(count),
            "direction": values.unset(count),
            "decay": 0.9,
            "nesterov": nesterov,
        },
    )


def average_parameters(sizes: Sizes, values: Values, overwrites: bool = False) -> Call:
    count = count_pixels(sizes)
    return Call(
        "average_parameters",
        {
            "parameters": values.reals(count),
            "average": values.reals(count),
            "share": values.choices([0.01, 0.3, 1], 1),
            "overwrites": values.choices([overwrites], 1),
        },
    )
