"""The metrics that a model is compiled with, by names, objects and functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from gpucnn.metrics.base import Metric, Values
from gpucnn.metrics.classes import ConfusionMatrix, F1Score, Precision, Recall
from gpucnn.metrics.errors import MeanAbsoluteError, MeanSquaredError
from gpucnn.utils import arguments


@dataclass(frozen=True)
class OfFunction(Metric):
    """A function of labels and outputs, which gives a number for each image, or their mean.

    Args:
        function: of y_true and y_pred.
        name: see `Metric`.
    """

    function: Callable[[Values, Values], Any]
    name: str

    def result(self, labels: Values, outputs: Values) -> float:
        values = np.asarray(self.function(labels, outputs))
        if values.size != 1 and len(values) != len(labels):
            raise InvalidValueError(
                f"{self.name} gives the shape {values.shape} for {len(labels)} images: give a "
                "number for each, or their mean"
            )
        return float(values.mean())


MetricLike = str | Metric | Callable[[Values, Values], Any]
"""What a model can be compiled with."""


METRICS: dict[str, type[Any]] = {
    "accuracy": Accuracy,
    "acc": Accuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "binary_accuracy": BinaryAccuracy,
    "top_k_categorical_accuracy": TopKCategoricalAccuracy,
    "sparse_top_k_categorical_accuracy": SparseTopKCategoricalAccuracy,
    "precision": Precision,
    "recall": Recall,
    "f1_score": F1Score,
    "confusion_matrix": ConfusionMatrix,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
}
"""The metrics by Keras's names, see `name_of`; the name that is given is that of the values."""


KINDS_OF_METRIC: tuple[type[Any], ...] = (
    *dict.fromkeys(METRICS.values()),
    OfFunction,
)
"""The classes that the description of a metric may name."""


def metrics_of(metrics: Any) -> tuple[Metric, ...]:
    """The metrics that a model is compiled with.

    Args:
        metrics: a list of names, of objects of `Metric` and of functions of y_true and y_pred; or
            None.

    Raises:
        InvalidTypeError: it is not a list, or one is none of these.
        InvalidValueError: there is no such metric, or two have one name.
    """
    if metrics is not None and (isinstance(metrics, str) or not isinstance(metrics, Sequence)):
        raise InvalidTypeError(f'metrics is {metrics!r}: give a list, such as ["accuracy"]')
    found = [_metric(each) for each in metrics or ()]
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1 or name in ("loss", "epoch", "seconds", "images_per_second"):
            raise InvalidValueError(
                f"{name} is the name of a metric, and of something else that is measured: give the "
                "metric another name"
            )
    return tuple(found)


def _metric(metric: Any) -> Metric:
    if isinstance(metric, Metric):
        if metric.is_own:
            _check_takes_both(metric.result, f"result of {type(metric).__name__}")
        return metric
    if isinstance(metric, str):
        name = arguments.name_of(metric, "a metric", tuple(METRICS))
        made: Metric = METRICS[name](name=metric)
        return made
    if callable(metric) and hasattr(metric, "__name__") and not isinstance(metric, type):
        _check_takes_both(metric, metric.__name__)
        return OfFunction(metric, metric.__name__)
    raise InvalidTypeError(
        f"{metric!r} is among the metrics: give names, objects such as F1Score(), or functions of "
        "y_true and y_pred"
    )


def _check_takes_both(function: Callable[..., Any], name: str) -> None:
    """Check that a function of the user's can be given labels and outputs.

    Raises:
        InvalidTypeError: it cannot.
    """
    try:
        signature(function).bind(None, None)
    except TypeError:
        takes = ", ".join(signature(function).parameters)
        raise InvalidTypeError(
            f"{name} takes ({takes}), but is given (labels, outputs), those of all "
            "images of an epoch: see gpucnn.metrics.Metric"
        ) from None
    except ValueError:  # it does not tell what it takes
        return
