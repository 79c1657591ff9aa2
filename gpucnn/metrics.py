"""Metrics that a model is compiled with, and what they are computed from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.losses import DEFAULT, Loss
from gpucnn.utils import arguments
from gpucnn.utils.config import Configurable
from gpucnn.utils.keras import lacking

Values = NDArray[Any]

# What is measured, on the host


def classes_of(labels: Values) -> Values:
    """The classes (n,) of labels that are classes, or rows with a number for each class."""
    classes: Values = labels if labels.ndim == 1 else labels.argmax(axis=1)
    return classes


def confusion_matrix(labels: Values, outputs: Values) -> NDArray[np.int64]:
    """Count the images of each class that are taken for each.

    Args:
        labels: whole numbers (n,), or rows (n, classes).
        outputs: real (n, classes), such as what `predict` returns; the greatest decides.

    Returns:
        int64 (classes, classes): a row for the class that an image has, a column for the class that
        it is taken for.
    """
    classes = outputs.shape[1]
    pairs = classes_of(labels) * classes + outputs.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


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


def per_class(labels: Values, outputs: Values) -> PerClass:
    """Precision, recall and F1 of each class, of labels and outputs as for `confusion_matrix`."""
    counts = confusion_matrix(labels, outputs)
    right, taken, there = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    return PerClass(_share(right, taken), _share(right, there), _share(2 * right, taken + there))


def _share(part: Values, whole: Values) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


# Metrics


class Metric(Configurable, ABC):
    """A metric: a number, or an array, of the labels and the outputs for all images of an epoch.

    In training, each output is that of the step that trained on its image, before the update.

    Attributes:
        name: that of its values in the history.
        direction: "up" where more is better, "down" where less is; None where that is not known,
            and callbacks that watch it need a mode.
    """

    name: str
    direction: ClassVar[str | None] = None

    @abstractmethod
    def result(self, labels: Values, outputs: Values) -> Any:
        """Compute the metric, on the host.

        Args:
            labels: int64 (n,), or real (n, outputs), as they were given, before smoothing.
            outputs: real (n, outputs), as `predict` returns them.
        """


@dataclass(frozen=True)
class Accuracy(Metric):
    """The share of images whose label is what the outputs say: see `Loss.hits`."""

    direction: ClassVar[str | None] = "up"

    name: str = "accuracy"

    def result(self, labels: Values, outputs: Values) -> float:
        return float(DEFAULT.hits(labels, outputs).mean())


@dataclass(frozen=True)
class SparseCategoricalAccuracy(Accuracy):
    """The same, under Keras's name for labels that are whole numbers."""

    name: str = "sparse_categorical_accuracy"


@dataclass(frozen=True)
class CategoricalAccuracy(Accuracy):
    """The same, under Keras's name for labels that are rows."""

    name: str = "categorical_accuracy"


@dataclass(frozen=True)
class BinaryAccuracy(Accuracy):
    """The same, under Keras's name for a single output."""

    name: str = "binary_accuracy"


@dataclass(frozen=True)
class TopKCategoricalAccuracy(Metric):
    """The share of images whose class has one of the `k` greatest outputs.

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


@dataclass(frozen=True)
class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The same, under Keras's name for labels that are whole numbers."""

    name: str = "sparse_top_k_categorical_accuracy"


@dataclass(frozen=True)
class OfClasses(Metric):
    """One of the numbers of `PerClass`.

    Args:
        average: None for an array of those of all classes, "macro" for their mean.
        name: see `Metric`.

    Raises:
        InvalidValueError: `average` is neither.
    """

    which: ClassVar[str]
    direction: ClassVar[str | None] = "up"

    average: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.average not in (None, "macro"):
            raise InvalidValueError(f"average is {self.average!r}: choose None or macro")

    def result(self, labels: Values, outputs: Values) -> Any:
        found = getattr(per_class(labels, outputs), self.which)
        return found if self.average is None else float(found.mean())


@dataclass(frozen=True)
class Precision(OfClasses):
    """The precision of each class, see `OfClasses`."""

    which: ClassVar[str] = "precision"
    name: str = "precision"


@dataclass(frozen=True)
class Recall(OfClasses):
    """The recall of each class, see `OfClasses`."""

    which: ClassVar[str] = "recall"
    name: str = "recall"


@dataclass(frozen=True)
class F1Score(OfClasses):
    """The F1 of each class, see `OfClasses`."""

    which: ClassVar[str] = "f1"
    name: str = "f1_score"


@dataclass(frozen=True)
class ConfusionMatrix(Metric):
    """The images of each class that are taken for each, see `confusion_matrix`."""

    name: str = "confusion_matrix"

    def result(self, labels: Values, outputs: Values) -> Any:
        return confusion_matrix(labels, outputs)


@dataclass(frozen=True)
class MeanSquaredError(Metric):
    """The mean of the squared differences of outputs from labels."""

    direction: ClassVar[str | None] = "down"

    name: str = "mean_squared_error"

    def result(self, labels: Values, outputs: Values) -> float:
        return float(((outputs - _numbers(labels, outputs)) ** 2).mean(dtype=np.float64))


@dataclass(frozen=True)
class MeanAbsoluteError(Metric):
    """The mean of the absolute differences of outputs from labels."""

    direction: ClassVar[str | None] = "down"

    name: str = "mean_absolute_error"

    def result(self, labels: Values, outputs: Values) -> float:
        return float(abs(outputs - _numbers(labels, outputs)).mean(dtype=np.float64))


def _numbers(labels: Values, outputs: Values) -> Values:
    """Labels that are a number for each output.

    Raises:
        InvalidValueError: they are classes.
    """
    if labels.size != outputs.size:
        raise InvalidValueError(
            "the labels are classes, whose difference from the outputs says nothing: compile with "
            "categorical_crossentropy and rows, or leave the metric out"
        )
    return labels.reshape(outputs.shape)


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
        return float(np.mean(self.function(labels, outputs)))


MetricLike = str | Metric | Callable[[Values, Values], Any]
"""What a model can be compiled with."""

METRICS: dict[str, Callable[[], Metric]] = {
    "accuracy": Accuracy,
    "acc": partial(Accuracy, "acc"),
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
"""The metrics by name."""


KINDS_OF_METRIC: tuple[type[Any], ...] = (
    *dict.fromkeys(type(make()) for make in METRICS.values()),
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
        return metric
    if isinstance(metric, str):
        if metric not in METRICS:
            names = ", ".join(METRICS)
            raise InvalidValueError(f"{metric!r} is among the metrics: choose of {names}")
        return METRICS[metric]()
    if callable(metric) and hasattr(metric, "__name__") and not isinstance(metric, type):
        return OfFunction(metric, metric.__name__)
    raise InvalidTypeError(
        f"{metric!r} is among the metrics: give names, objects such as F1Score(), or functions of "
        "y_true and y_pred"
    )


# What is measured of a model


@dataclass(frozen=True)
class Measures:
    """What is measured besides the loss.

    Args:
        has_accuracy: whether the loss tells which images are classified correctly.
        metrics: those that are computed from the outputs.
        accuracies: those that the loss tells, under their names; "accuracy" if there are none.
        loss: of the model, which tells what the labels were before it took them.
    """

    has_accuracy: bool = True
    metrics: tuple[Metric, ...] = ()
    accuracies: tuple[Metric, ...] = ()
    loss: Loss = DEFAULT

    @classmethod
    def of(cls, metrics: Sequence[Metric], loss: Loss = DEFAULT) -> "Measures":
        """Those of the metrics of a model, whose loss may measure the accuracy itself."""
        accuracies = [each for each in metrics if isinstance(each, Accuracy) and not each.is_own]
        told = accuracies if loss.measures_accuracy else []
        others = tuple(each for each in metrics if each not in told)
        return cls(loss.measures_accuracy, others, tuple(told), loss)

    def evaluate(
        self,
        losses: Values,
        correct: Values,
        labels: Values | None,
        outputs: Values | None,
        penalty: float = 0.0,
    ) -> "Evaluation":
        """The means over n images, and the metrics; all on the host.

        Args:
            losses: real (n,).
            correct: real (n,), 1 or 0; not read without accuracy.
            labels: those of the images, if there are metrics.
            outputs: likewise.
            penalty: on the parameters, a part of the loss.
        """
        found: dict[str, Any] = {"loss": float(losses.mean(dtype=np.float64)) + penalty}
        if self.has_accuracy:
            names = [each.name for each in self.accuracies] or [Accuracy.name]
            found |= dict.fromkeys(names, float(correct.mean(dtype=np.float64)))
        if self.metrics:
            assert labels is not None
            assert outputs is not None
            given = self.loss.as_given(labels, outputs.shape[1])
            found |= {each.name: _plain(each.result(given, outputs)) for each in self.metrics}
        return Evaluation(found)


def _plain(value: Any) -> Any:
    """A metric's value as a number or lists of numbers, as in a history that is saved."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


class Evaluation(tuple[Any, ...]):
    """The loss and the metrics over a set of images: a tuple, with attributes by their names.

    The loss and the accuracy are means over the images, the latter in [0, 1].

    Args:
        named: by name, in order.
    """

    loss: float
    accuracy: float

    def __new__(cls, named: dict[str, Any]) -> "Evaluation":
        """Make one of the values by name."""
        self = super().__new__(cls, tuple(named.values()))
        vars(self).update(named)
        return self

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> Any:
        return type(self), (self._asdict(),)

    def _asdict(self) -> dict[str, Any]:
        """The values by name."""
        return dict(vars(self))


if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
