"""What labels say, which are classes or rows of numbers."""

import numpy as np

from gpucnn.errors import InvalidValueError
from gpucnn.metrics.base import Values

ROUNDING = 1e-3
"""How far a label may be beyond 0 and 1, since it is computed from one that was smoothed."""


def classes_of(labels: Values) -> Values:
    """The classes (n,) of labels that are classes, or rows with a number for each class."""
    classes: Values = labels if labels.ndim == 1 else labels.argmax(axis=1)
    return classes


def rows_of(labels: Values, outputs: Values) -> Values:
    """What the labels say of each output, (n, outputs), from 0 to 1."""
    several = outputs.shape[1] > 1
    rows = np.eye(outputs.shape[1])[labels] if several and labels.ndim == 1 else labels
    check_are_of_classes(rows.reshape(outputs.shape))
    return rows.reshape(outputs.shape)


def check_are_of_classes(labels: Values) -> None:
    """Check that labels are classes, or rows of numbers from 0 to 1, but for rounding.

    Raises:
        InvalidValueError: they are not.
    """
    if labels.ndim == 2 and not (abs(labels - 0.5) < 0.5 + ROUNDING).all():
        raise InvalidValueError(
            f"the labels are from {labels.min():g} to {labels.max():g}, which are not those of "
            "classes: leave out the metrics of classes, or give labels of 0 and 1"
        )
