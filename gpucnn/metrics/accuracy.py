"""Accuracies: the share of images, or of outputs, that are right."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gpucnn.errors import InvalidValueError
from gpucnn.losses import DEFAULT, Loss
from gpucnn.metrics.base import Metric, Values
from gpucnn.metrics.labels import check_are_of_classes, classes_of, rows_of
from gpucnn.utils import arguments


@dataclass(frozen=True)
class Accuracy(Metric):
    """The share of images whose label is what the outputs say: see `Loss.hits`.

    So it is the categorical accuracy of several outputs, and the binary one of a single output,
    whatever the loss.
    """

    direction: ClassVar[str | None] = "up"

    name: str = "accuracy"

    def result(self, labels: Values, outputs: Values) -> float:
        return float(DEFAULT.hits(labels, outputs).mean())

    def is_told_by(self, loss: Loss, outputs: int) -> bool:
        """Whether the loss counts it with the losses, on the device."""
        return loss.tells_accuracy(outputs)


@dataclass(frozen=True)
class CategoricalAccuracy(Accuracy):
    """The share of images whose class has the greatest of several outputs."""

    name: str = "categorical_accuracy"

    def of_model(self, loss: Loss, outputs: int) -> Metric:
        _check_are_several(self, outputs)
        return self

    def is_told_by(self, loss: Loss, outputs: int) -> bool:
        return super().is_told_by(loss, outputs) and type(loss).hits is Loss.hits


@dataclass(frozen=True)
class SparseCategoricalAccuracy(CategoricalAccuracy):
    """The same, under Keras's name for labels that are whole numbers."""

    name: str = "sparse_categorical_accuracy"


@dataclass(frozen=True)
class BinaryAccuracy(Accuracy):
    """The share of outputs that are above a threshold where their label is above 0.5, and only so.

    Args:
        name: see `Metric`.
        threshold: None for that of the loss, 0.5 of probabilities and 0 of logits.

    Raises:
        InvalidValueError: `threshold` is not a number.
    """

    name: str = "binary_accuracy"
    threshold: float | None = None

    def __post_init__(self) -> None:
        arguments.optional(arguments.number, self.threshold, "threshold")

    def of_model(self, loss: Loss, outputs: int) -> Metric:
        return self._with_threshold("threshold", loss, outputs)

    def check_labels(self, labels: Values, outputs: int) -> None:
        check_are_of_classes(labels)

    def result(self, labels: Values, outputs: Values) -> float:
        threshold = 0.5 if self.threshold is None else self.threshold
        return float(((outputs > threshold) == (rows_of(labels, outputs) > 0.5)).mean())

    def is_told_by(self, loss: Loss, outputs: int) -> bool:
        is_hits = outputs == 1 and self.threshold == loss.threshold(1)
        return is_hits and type(loss).hits is Loss.hits and super().is_told_by(loss, outputs)


@dataclass(frozen=True)
class TopKCategoricalAccuracy(Metric):
    """The share of images whose class has one of the `k` greatest of several outputs.

    As in Keras, a label that is a row says one class, that of its greatest number, also where each
    output tells by itself.

    Args:
        k: at least 1.
        name: see `Metric`.

    Raises:
        InvalidValueError: `k` is not such a number.
    """

    direction: ClassVar[str | None] = "up"

    k: int = 5
    name: str = "top_k_categorical_accuracy"

    def __post_init__(self) -> None:
        arguments.positive_integer(self.k, "k")

    def result(self, labels: Values, outputs: Values) -> float:
        of_class = np.take_along_axis(outputs, classes_of(labels)[:, None], axis=1)
        return float(((outputs > of_class).sum(axis=1) < self.k).mean())

    def of_model(self, loss: Loss, outputs: int) -> Metric:
        _check_are_several(self, outputs)
        return self


def _check_are_several(metric: Metric, outputs: int) -> None:
    """Check that a model has an output for each class, for a metric of the greatest of them.

    Raises:
        InvalidValueError: it has one.
    """
    if outputs == 1:
        raise InvalidValueError(
            f"{metric.name} is of the greatest of several outputs, but the model has one: use "
            "accuracy or binary_accuracy"
        )


@dataclass(frozen=True)
class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The same, under Keras's name for labels that are whole numbers."""

    name: str = "sparse_top_k_categorical_accuracy"
