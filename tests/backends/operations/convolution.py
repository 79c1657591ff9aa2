"""Calls of convolutions."""

from backends.operations.shapes import (
    grouped_input_shape,
    grouped_kernel_shape,
    input_shape,
    kernel_shape,
    output_shape,
    patches_shape,
)
from backends.operations.values import Values
from backends.strategies import Sizes
from gpucnn.verification.calls import Call


def im2col(sizes: Sizes, values: Values) -> Call:
    return Call(
        "im2col",
        {
            "x": values.reals(*input_shape(sizes)),
            "window": sizes.window,
            "patches": values.unset(*patches_shape(sizes)),
        },
    )


def col2im(sizes: Sizes, values: Values) -> Call:
    return Call(
        "col2im",
        {
            "patches": values.reals(*patches_shape(sizes)),
            "window": sizes.window,
            "out": values.unset(*input_shape(sizes)),
        },
    )


def conv2d(sizes: Sizes, values: Values) -> Call:
    return Call(
        "conv2d",
        {
            "x": values.reals(*input_shape(sizes)),
            "kernel": values.reals(*kernel_shape(sizes)),
            "bias": values.reals(sizes.filters),
            "window": sizes.window,
            "patches": values.unset(*patches_shape(sizes)),
            "out": values.unset(*output_shape(sizes, sizes.filters)),
        },
    )


def conv2d_parameter_gradients(sizes: Sizes, values: Values) -> Call:
    return Call(
        "conv2d_parameter_gradients",
        {
            "output_gradient": values.reals(*output_shape(sizes, sizes.filters)),
            "patches": values.reals(*patches_shape(sizes)),
            "kernel_gradient": values.unset(*kernel_shape(sizes)),
            "bias_gradient": values.unset(sizes.filters),
        },
    )


def conv2d_input_gradient(sizes: Sizes, values: Values) -> Call:
    filters = sizes.filters
    return Call(
        "conv2d_input_gradient",
        {
            "output_gradient": values.reals(*output_shape(sizes, filters)),
            "kernel": values.reals(*kernel_shape(sizes)),
            "window": sizes.window,
            "patches": values.unset(*patches_shape(sizes)),
            "input_gradient": values.unset(*input_shape(sizes)),
        },
    )


def grouped_conv2d(sizes: Sizes, values: Values, group_channels: int = 1) -> Call:
    kernel = grouped_kernel_shape(sizes, group_channels)
    return Call(
        "grouped_conv2d",
        {
            "x": values.reals(*grouped_input_shape(sizes, group_channels)),
            "kernel": values.reals(*kernel),
            "bias": values.reals(kernel[-1]),
            "window": sizes.window,
            "out": values.unset(*output_shape(sizes, kernel[-1])),
        },
    )


def grouped_conv2d_parameter_gradients(
    sizes: Sizes, values: Values, group_channels: int = 1
) -> Call:
    kernel = grouped_kernel_shape(sizes, group_channels)
    return Call(
        "grouped_conv2d_parameter_gradients",
        {
            "x": values.reals(*grouped_input_shape(sizes, group_channels)),
            "output_gradient": values.reals(*output_shape(sizes, kernel[-1])),
            "window": sizes.window,
            "kernel_gradient": values.unset(*kernel),
            "bias_gradient": values.unset(kernel[-1]),
        },
    )


def grouped_input_gradient(sizes: Sizes, values: Values, group_channels: int = 1) -> Call:
    kernel = grouped_kernel_shape(sizes, group_channels)
    return Call(
        "grouped_input_gradient",
        {
            "output_gradient": values.reals(*output_shape(sizes, kernel[-1])),
            "kernel": values.reals(*kernel),
            "window": sizes.window,
            "input_gradient": values.unset(*grouped_input_shape(sizes, group_channels)),
        },
    )
