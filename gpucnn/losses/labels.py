"""Checks of labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidTypeError, InvalidValueError


def check_labels(y: Any, count: int, classes: int) -> NDArray[Any]:
    """Check that `y` is (count,) whole numbers in [0, classes), and return them as integers.

    Raises:
        InvalidTypeError: the labels are not whole numbers.
        InvalidValueError: the shape is another, or a label is out of range.
    """
    labels: NDArray[Any] = np.asarray(y)
    if labels.dtype.kind in "fiu" and labels.shape == (count, classes) and classes > 1:
        raise InvalidValueError(
            f"the labels are rows of {classes} numbers, but the loss takes classes: compile with "
            "loss='categorical_crossentropy', or give y.argmax(axis=1)"
        )
    if labels.dtype.kind == "f" and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if not np.issubdtype(labels.dtype, np.integer):
        raise InvalidTypeError(
            f"the labels are of dtype {labels.dtype}: give whole numbers from 0 to {classes - 1}"
        )
    if labels.shape != (count,):
        raise InvalidValueError(
            f"the labels have the shape {labels.shape}: give one for each image, ({count},)"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise InvalidValueError(
            f"the label of image {wrong[0]} is {labels[wrong[0]]}, but the model has {classes} "
            f"classes: give labels from 0 to {classes - 1}"
        )
    return labels


def check_numbers(y: Any, count: int, outputs: int) -> NDArray[Any]:
    """Check labels (n, outputs), or (n,) for a single output; returns float64 (n, outputs).

    Raises:
        InvalidTypeError: they are not numbers.
        InvalidValueError: their shape is another, or a number is not finite.
    """
    rows: NDArray[Any] = np.asarray(y)
    if rows.dtype.kind not in "fiub":
        raise InvalidTypeError(f"the labels are of dtype {rows.dtype}: give numbers")
    if rows.shape == (count,) and outputs == 1:
        rows = rows[:, None]
    if rows.shape != (count, outputs):
        raise InvalidValueError(
            f"the labels have the shape {rows.shape}: give a row of {outputs} for each image, "
            f"({count}, {outputs})"
        )
    if not np.isfinite(rows).all():
        raise InvalidValueError("a label is NaN or infinite: give finite numbers")
    return rows.astype(np.float64)
