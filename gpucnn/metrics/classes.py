"""Metrics of each class: the confusion matrix, precision, recall and F1."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidValueError
from gpucnn.losses import Loss
from gpucnn.metrics.base import Metric, Values
from gpucnn.metrics.labels import check_are_of_classes, classes_of, rows_of
from gpucnn.utils import arguments


def confusion_matrix(labels: Values, outputs: Values, threshold: float = 0.5) -> NDArray[np.int64]:
    """Count the images of each class that are taken for each.

    Args:
        labels: whole numbers (n,), or rows (n, classes); (n, 1) for a single output.
        outputs: real (n, classes), such as what `predict` returns; the greatest decides. A single
            output, (n, 1), tells two classes apart.
        threshold: above which a single output says class 1.

    Returns:
        int64 (classes, classes): a row for the class that an image has, a column for the class that
        it is taken for.

    Raises:
        InvalidValueError: the labels are not of classes.
    """
    if outputs.shape[1] == 1:
        outcomes = 2
        classes, taken = rows_of(labels, outputs)[:, 0] > 0.5, outputs[:, 0] > threshold
    else:
        check_are_of_classes(labels)
        outcomes, classes, taken = outputs.shape[1], classes_of(labels), outputs.argmax(axis=1)
    counts = np.bincount(classes * outcomes + taken, minlength=outcomes**2)
    return counts.reshape(outcomes, outcomes)


class PerClass(NamedTuple):
    """How well each class is recognised, real (classes,) each; 0 where there is nothing to count.

    Attributes:
        precision: the share of the images that are taken for the class which are of it.
        recall: the share of the images of the class that are taken for it.
        f1: the harmonic mean of the two.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def per_class(labels: Values, outputs: Values, threshold: float | None = None) -> PerClass:
    """Precision, recall and F1 of each class, or of what each output says by itself.

    Args:
        labels: as for `confusion_matrix`, also for the errors.
        outputs: likewise.
        threshold: above which an output says that an image is of its class, whatever the others
            say; None if the greatest decides. A single output has one, 0.5 for None.
    """
    if threshold is None and outputs.shape[1] > 1:
        counts = confusion_matrix(labels, outputs)
        right, taken, there = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    else:
        yes = rows_of(labels, outputs) > 0.5
        says_yes = outputs > (0.5 if threshold is None else threshold)
        right, taken, there = (each.sum(axis=0) for each in (yes & says_yes, says_yes, yes))
    return PerClass(_share(right, taken), _share(right, there), _share(2 * right, taken + there))


def _share(part: Values, whole: Values) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


@dataclass(frozen=True)
class OfClasses(Metric):
    """One of the numbers of `PerClass`.

    The greatest of several outputs decides for a class. Above a threshold an output decides by
    itself: a single output, the outputs of a model with a binary cross-entropy, and any if there is
    the argument. Of a single output the result is a number, that of class 1; of each output of
    several an array.

    Args:
        average: None for an array of those of all classes, "macro" for their mean.
        name: see `Metric`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    which: ClassVar[str]
    direction: ClassVar[str | None] = "up"
    threshold_argument: ClassVar[str] = "thresholds"
    """The argument that is the threshold; None for that of the loss, if an output has one."""

    average: str | None = None

    def __post_init__(self) -> None:
        if self.average not in (None, "macro"):
            raise InvalidValueError(f"average is {self.average!r}: choose None or macro")
        arguments.optional(arguments.number, self._threshold, self.threshold_argument)

    @property
    def _threshold(self) -> float | None:
        value: float | None = getattr(self, self.threshold_argument)
        return value

    def of_model(self, loss: Loss, outputs: int) -> Metric:
        return self._with_threshold(self.threshold_argument, loss, outputs)

    def check_labels(self, labels: Values, outputs: int) -> None:
        check_are_of_classes(labels)

    def result(self, labels: Values, outputs: Values) -> Any:
        found = getattr(per_class(labels, outputs, self._threshold), self.which)
        is_number = self.average == "macro" or len(found) == 1
        return float(found.mean()) if is_number else found


@dataclass(frozen=True)
class Precision(OfClasses):
    """The precision of each class, see `OfClasses`.

    Args:
        average: see `OfClasses`.
        thresholds: see `OfClasses`; a single one.
        name: see `Metric`.
    """

    which: ClassVar[str] = "precision"
    thresholds: float | None = None
    name: str = "precision"


@dataclass(frozen=True)
class Recall(OfClasses):
    """The recall of each class, see `OfClasses`.

    Args:
        average: see `OfClasses`.
        thresholds: see `OfClasses`; a single one.
        name: see `Metric`.
    """

    which: ClassVar[str] = "recall"
    thresholds: float | None = None
    name: str = "recall"


@dataclass(frozen=True)
class F1Score(OfClasses):
    """The F1 of each class, see `OfClasses`.

    Args:
        average: see `OfClasses`.
        threshold: see `OfClasses`.
        name: see `Metric`.
    """

    which: ClassVar[str] = "f1"
    threshold_argument: ClassVar[str] = "threshold"
    threshold: float | None = None
    name: str = "f1_score"


@dataclass(frozen=True)
class ConfusionMatrix(Metric):
    """The images of each class that are taken for each, see `confusion_matrix`.

    Args:
        name: see `Metric`.
        threshold: of a single output; None for that of the loss.

    Raises:
        InvalidValueError: `threshold` is not a number.
    """

    name: str = "confusion_matrix"
    threshold: float | None = None

    def __post_init__(self) -> None:
        arguments.optional(arguments.number, self.threshold, "threshold")

    def of_model(self, loss: Loss, outputs: int) -> Metric:
        if outputs > 1 and loss.threshold(outputs) is not None:
            raise InvalidValueError(
                f"{self.name} is of images that have one class each, but with "
                f"{type(loss).__name__} each of the {outputs} outputs tells by itself: use "
                "precision and recall"
            )
        return self._with_threshold("threshold", loss, outputs)

    def check_labels(self, labels: Values, outputs: int) -> None:
        check_are_of_classes(labels)

    def result(self, labels: Values, outputs: Values) -> Any:
        threshold = 0.5 if self.threshold is None else self.threshold
        return confusion_matrix(labels, outputs, threshold)
