"""Calls of products of matrices, and of what is fused with them."""

import numpy as np

from backends.operations.shapes import count_pixels
from backends.operations.values import Values
from backends.strategies import Sizes
from gpucnn.verification.calls import Call


def matmul(
    sizes: Sizes,
    values: Values,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: bool = False,
) -> Call:
    m, k, n = count_pixels(sizes), sizes.window.elements, sizes.filters
    return Call(
        "matmul",
        {
            "a": values.reals(*((k, m) if transpose_a else (m, k))),
            "b": values.reals(*((n, k) if transpose_b else (k, n))),
            "out": values.unset(m, n),
            "transpose_a": transpose_a,
            "transpose_b": transpose_b,
            "bias": values.reals(n) if bias else None,
        },
    )


def sum_rows(sizes: Sizes, values: Values) -> Call:
    a = values.reals(count_pixels(sizes), sizes.filters)
    return Call("sum_rows", {"a": a, "out": values.unset(sizes.filters)})


def dense_relu(
    sizes: Sizes, values: Values, *, rate: float = 0.0, drops: bool = False, first: int = 0
) -> Call:
    images, inputs, units = count_pixels(sizes), sizes.window.elements, sizes.filters
    return Call(
        "dense_relu",
        {
            "x": values.reals(images, inputs),
            "kernel": values.reals(inputs, units),
            "bias": values.reals(units),
            "out": values.unset(images, units),
            "rate": rate,
            "seed": values.integer(64),
            "stream": values.integer(32),
            "step": np.array([values.integer(40)], np.int64) if drops else None,
            "first": first,
        },
    )


def dense_relu_gradient(sizes: Sizes, values: Values, rate: float = 0.4) -> Call:
    shape = count_pixels(sizes), sizes.filters
    return Call(
        "dense_relu_gradient",
        {
            "output_gradient": values.reals(*shape),
            "out": values.choices([-0.0, 0, 1e-30, 1.5], *shape),
            "rate": rate,
            "input_gradient": values.unset(*shape),
        },
    )


def dense_softmax_cross_entropy(
    sizes: Sizes, values: Values, *, rate: float | None = None, input_gradient: bool = True
) -> Call:
    """Of whole numbers, so that the logits are exact and equal ones are equal everywhere.

    Layers are of few sizes, for each of which a kernel is compiled.
    """
    rows, inputs, classes = (
        count_pixels(sizes),
        (5, 40, 130)[sizes.channels % 3],
        sizes.filters % 2 * 7 + 3,
    )
    return Call(
        "dense_softmax_cross_entropy",
        {
            "x": values.choices([-1, 0, 1, 2], rows, inputs),
            "kernel": values.choices([-1, 0, 1], inputs, classes),
            "bias": values.choices([-1, 0, 1], classes),
            "labels": values.integers(classes, rows + 2),
            "indices": values.integers(rows + 2, rows),
            "position": np.array([2, 7]),
            "epoch_losses": values.reals(3 * (rows + 3) + 1),
            "epoch_correct": values.reals(3 * (rows + 3) + 1),
            "batch_size": rows + 3,
            "first": 2,
            "logits_gradient": values.unset(rows, classes),
            "input_gradient": values.unset(rows, inputs) if input_gradient else None,
            "images": rows + 3,  # of a batch of which these are a part
            "rate": rate,
        },
    )


def dense_gradients(sizes: Sizes, values: Values) -> Call:
    images, inputs, units = count_pixels(sizes), sizes.window.elements, sizes.filters
    return Call(
        "dense_gradients",
        {
            "x": values.reals(images, inputs),
            "output_gradient": values.reals(images, units),
            "kernel_gradient": values.unset(inputs, units),
            "bias_gradient": values.unset(units),
        },
    )
