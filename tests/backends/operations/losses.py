"""Calls of losses, and of what is made of logits."""

import numpy as np

from backends.operations.shapes import count_pixels
from backends.operations.values import Values
from backends.strategies import Sizes
from gpucnn.verification.calls import Call


def store_probabilities(sizes: Sizes, values: Values) -> Call:
    rows, classes = count_pixels(sizes), sizes.filters
    first, number = sizes.channels, int(values.integers(3))
    size = first + rows
    return Call(
        "store_probabilities",
        {
            "position": np.array([number, 7]),
            "logits": 4 * values.reals(rows, classes),
            "probabilities": values.reals((number + 1) * size + 1, classes),
            "batch_size": size,
            "first": first,
        },
    )


def softmax_cross_entropy(
    sizes: Sizes, values: Values, *, ties: bool = False, gradient: bool = True
) -> Call:
    shape = rows, classes = count_pixels(sizes), sizes.filters
    return Call(
        "softmax_cross_entropy",
        {
            "logits": values.choices([-1, 0, 1], *shape) if ties else 4 * values.reals(*shape),
            "labels": values.integers(classes, rows),
            "losses": values.unset(rows),
            "correct": values.unset(rows),
            "gradient": values.unset(*shape) if gradient else None,
            "images": rows + 3,  # of a batch of which these are a part
        },
    )


def soft_cross_entropy(
    sizes: Sizes, values: Values, *, ties: bool = False, gradient: bool = True
) -> Call:
    """With targets of any sum, the largest of which is in half of the rows that of the logits."""
    shape = rows, _ = count_pixels(sizes), sizes.filters
    logits = values.choices([-1, 0, 1], *shape) if ties else 4 * values.reals(*shape)
    is_best = logits == logits.max(axis=1, keepdims=True)
    reals = values.reals(*shape) ** 2 + values.choices([0, 9], rows, 1) * is_best
    return Call(
        "soft_cross_entropy",
        {
            "logits": logits,
            "targets": values.choices([0, 0.25, 1], *shape) if ties else reals,
            "losses": values.unset(rows),
            "correct": values.unset(rows),
            "gradient": values.unset(*shape) if gradient else None,
            "images": rows + 3,  # of a batch of which these are a part
        },
    )


def sigmoid_cross_entropy(
    sizes: Sizes, values: Values, *, edges: bool = False, gradient: bool = True
) -> Call:
    shape = rows, _ = count_pixels(sizes), sizes.filters
    ends = values.choices([-100, -88, -30, -0.0, 0, 1e-30, 30, 100], *shape)
    return Call(
        "sigmoid_cross_entropy",
        {
            "logits": ends if edges else 4 * values.reals(*shape),
            "targets": values.choices([0, 0, 0.1, 0.5, 0.9, 1, 1], *shape),
            "losses": values.unset(rows),
            "correct": values.unset(rows),
            "gradient": values.unset(*shape) if gradient else None,
            "images": rows + 3,
        },
    )


def squared_error(sizes: Sizes, values: Values, *, gradient: bool = True) -> Call:
    shape = rows, _ = count_pixels(sizes), sizes.filters
    return Call(
        "squared_error",
        {
            "outputs": values.reals(*shape),
            "targets": values.reals(*shape),
            "losses": values.unset(rows),
            "gradient": values.unset(*shape) if gradient else None,
            "images": rows + 3,
        },
    )


def weigh_rows(sizes: Sizes, values: Values, *, gradient: bool = True) -> Call:
    shape = rows, _ = count_pixels(sizes), sizes.filters
    return Call(
        "weigh_rows",
        {
            "weights": values.reals(rows),
            "losses": values.reals(rows),
            "gradient": values.reals(*shape) if gradient else None,
        },
    )
