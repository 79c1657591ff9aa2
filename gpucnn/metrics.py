"""Metrics that a model is compiled with."""

from collections.abc import Sequence
from typing import Any

from gpucnn.errors import InvalidTypeError, InvalidValueError

ACCURACY = ("accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy")
"""Keras's names of the accuracy, which is measured in any case."""


def check_metrics(metrics: Any) -> None:
    """Check the metrics that a model is compiled with.

    Args:
        metrics: a list of names, or None.

    Raises:
        InvalidTypeError: it is not a list.
        InvalidValueError: there is no such metric.
    """
    if metrics is not None and (isinstance(metrics, str) or not isinstance(metrics, Sequence)):
        raise InvalidTypeError(f'metrics is {metrics!r}: give a list, such as ["accuracy"]')
    for each in metrics or ():
        if each not in ACCURACY:
            names = ", ".join(ACCURACY)
            raise InvalidValueError(f"{each!r} is among the metrics: choose of {names}")
