"""Calls of pooling."""

import numpy as np

from backends.operations.shapes import input_shape, output_shape, without_dilation
from backends.operations.values import Values
from backends.strategies import Sizes
from gpucnn.verification.calls import Call, define, unset


def max_pool(sizes: Sizes, values: Values) -> Call:
    sizes = without_dilation(sizes)
    output = output_shape(sizes, sizes.channels)
    return Call(
        "max_pool",
        {
            "x": values.choices([-3, -2, -1, -0.0, 0, 1], *input_shape(sizes)),
            "window": sizes.window,
            "out": values.unset(*output),
            "argmax": unset(output, np.int32),
        },
    )


def max_pool_gradient(sizes: Sizes, values: Values) -> Call:
    sizes = without_dilation(sizes)
    argmax = define(max_pool(sizes, values))["argmax"]
    return Call(
        "max_pool_gradient",
        {
            "output_gradient": values.reals(*argmax.shape),
            "window": sizes.window,
            "argmax": argmax,
            "input_gradient": values.unset(*input_shape(sizes)),
        },
    )


def average_pool(sizes: Sizes, values: Values) -> Call:
    sizes = without_dilation(sizes)
    return Call(
        "average_pool",
        {
            "x": values.reals(*input_shape(sizes)),
            "window": sizes.window,
            "out": values.unset(*output_shape(sizes, sizes.channels)),
        },
    )


def average_pool_gradient(sizes: Sizes, values: Values) -> Call:
    sizes = without_dilation(sizes)
    return Call(
        "average_pool_gradient",
        {
            "output_gradient": values.reals(*output_shape(sizes, sizes.channels)),
            "window": sizes.window,
            "input_gradient": values.unset(*input_shape(sizes)),
        },
    )
