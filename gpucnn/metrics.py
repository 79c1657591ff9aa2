"""Metrics that a model is compiled with, and what they are computed from."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.losses import DEFAULT, Loss
from gpucnn.utils import arguments
from gpucnn.utils.config import Configurable
from gpucnn.utils.keras import lacking
from gpucnn.utils.keras.arguments import keras_arguments

Values = NDArray[Any]

# What is measured, on the host


def classes_of(labels: Values) -> Values:
    """The classes (n,) of labels that are classes, or rows with a number for each class."""
    classes: Values = labels if labels.ndim == 1 else labels.argmax(axis=1)
    return classes


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
        outcomes, classes, taken = 2, _rows(labels, outputs)[:, 0] > 0.5, outputs[:, 0] > threshold
    else:
        _check_are_of_classes(labels)
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
        yes = _rows(labels, outputs) > 0.5
        says_yes = outputs > (0.5 if threshold is None else threshold)
        right, taken, there = (each.sum(axis=0) for each in (yes & says_yes, says_yes, yes))
    return PerClass(_share(right, taken), _share(right, there), _share(2 * right, taken + there))


def _rows(labels: Values, outputs: Values) -> Values:
    """What the labels say of each output, (n, outputs), from 0 to 1."""
    several = outputs.shape[1] > 1
    rows = np.eye(outputs.shape[1])[labels] if several and labels.ndim == 1 else labels
    _check_are_of_classes(rows.reshape(outputs.shape))
    return rows.reshape(outputs.shape)


def _check_are_of_classes(labels: Values) -> None:
    """Check that labels are classes, or rows of numbers from 0 to 1, but for rounding.

    Raises:
        InvalidValueError: they are not.
    """
    if labels.ndim == 2 and not (abs(labels - 0.5) < 0.5 + ROUNDING).all():
        raise InvalidValueError(
            f"the labels are from {labels.min():g} to {labels.max():g}, which are not those of "
            "classes: leave out the metrics of classes, or give labels of 0 and 1"
        )


ROUNDING = 1e-3
"""How far a label may be beyond 0 and 1, since it is computed from one that was smoothed."""


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

    @keras_arguments
    def __init__(self, name: str | None = None) -> None:
        """Make a metric; without a name it has that of its class, such as "f1_score"."""
        if name is not None:
            self.name = name

    if not TYPE_CHECKING:  # mypy would take any name for an attribute

        def __getattr__(self, name: str) -> str:
            """The name, where the class sets none."""
            if name == "name":
                return _snake_case(type(self).__name__)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_config(self) -> dict[str, Any]:
        """As for `Configurable`, with the name."""
        return {"name": self.name} | super().get_config()

    @abstractmethod
    def result(self, labels: Values, outputs: Values) -> Any:
        """Compute the metric, on the host.

        Args:
            labels: int64 (n,), or real (n, outputs), as they were given, before smoothing.
            outputs: real (n, outputs), as `predict` returns them.
        """

    def of_model(self, loss: Loss, outputs: int) -> "Metric":
        """The metric as it is computed for a model with a loss and a number of outputs.

        Raises:
            InvalidValueError: it says nothing of such a model.
        """
        return self

    def check_labels(self, labels: Values, outputs: int) -> None:
        """Check, before anything is computed, the labels of a model with so many outputs.

        Raises:
            InvalidValueError: the metric says nothing of such labels.
        """

    def _with(self, argument: str, value: Any) -> "Metric":
        """A copy with another value of an argument, also of a user's class that derives from it."""
        made = copy(self)
        vars(made)[argument] = value
        return made


def _snake_case(name: str) -> str:
    """The name of a class in lower case, with underscores between its words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()


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
        decides = self.threshold is None
        return self._with("threshold", loss.threshold(outputs)) if decides else self

    def check_labels(self, labels: Values, outputs: int) -> None:
        _check_are_of_classes(labels)

    def result(self, labels: Values, outputs: Values) -> float:
        threshold = 0.5 if self.threshold is None else self.threshold
        return float(((outputs > threshold) == (_rows(labels, outputs) > 0.5)).mean())

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
        decides = self._threshold is None
        return self._with(self.threshold_argument, loss.threshold(outputs)) if decides else self

    def check_labels(self, labels: Values, outputs: int) -> None:
        _check_are_of_classes(labels)

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
        threshold = loss.threshold(outputs)
        if outputs > 1 and threshold is not None:
            raise InvalidValueError(
                f"{self.name} is of images that have one class each, but with "
                f"{type(loss).__name__} each of the {outputs} outputs tells by itself: use "
                "precision and recall"
            )
        return self._with("threshold", threshold) if self.threshold is None else self

    def check_labels(self, labels: Values, outputs: int) -> None:
        _check_are_of_classes(labels)

    def result(self, labels: Values, outputs: Values) -> Any:
        threshold = 0.5 if self.threshold is None else self.threshold
        return confusion_matrix(labels, outputs, threshold)


class OfErrors(Metric):
    """A metric of the differences of outputs from labels."""

    direction: ClassVar[str | None] = "down"

    def check_labels(self, labels: Values, outputs: int) -> None:
        if labels.size != len(labels) * outputs:
            raise InvalidValueError(
                "the labels are classes, whose difference from the outputs says nothing: compile "
                "with categorical_crossentropy and rows, or leave the metric out"
            )

    def _errors(self, labels: Values, outputs: Values) -> Values:
        self.check_labels(labels, outputs.shape[1])
        errors: Values = outputs - labels.reshape(outputs.shape)
        return errors


@dataclass(frozen=True)
class MeanSquaredError(OfErrors):
    """The mean of the squared differences of outputs from labels."""

    name: str = "mean_squared_error"

    def result(self, labels: Values, outputs: Values) -> float:
        return float((self._errors(labels, outputs) ** 2).mean(dtype=np.float64))


@dataclass(frozen=True)
class MeanAbsoluteError(OfErrors):
    """The mean of the absolute differences of outputs from labels."""

    name: str = "mean_absolute_error"

    def result(self, labels: Values, outputs: Values) -> float:
        return float(abs(self._errors(labels, outputs)).mean(dtype=np.float64))


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


# What is measured of a model


@dataclass(frozen=True)
class Measures:
    """What is measured besides the loss.

    Args:
        metrics: in order.
        told: the names of those that the loss counts, on the device; the others are computed from
            the outputs.
        loss: of the model, which tells what the labels were before it took them.
    """

    metrics: tuple[Metric, ...] = (Accuracy(),)
    told: frozenset[str] = frozenset({Accuracy.name})
    loss: Loss = DEFAULT

    @classmethod
    def of(cls, metrics: Sequence[Metric], loss: Loss, outputs: int) -> "Measures":
        """Those of a model, with the accuracy, asked for or not, if the loss counts it anyway.

        Args:
            metrics: that it is compiled with.
            loss: likewise.
            outputs: their number.

        Raises:
            InvalidValueError: a metric says nothing of such a model.
        """
        measured = [each.of_model(loss, outputs) for each in metrics]
        accuracies = [each for each in measured if isinstance(each, Accuracy) and not each.is_own]
        told = {each.name for each in accuracies if each.is_told_by(loss, outputs)}
        is_free = not told and loss.tells_accuracy(outputs)
        if is_free and not any(each.name == Accuracy.name for each in measured):
            measured.insert(0, Accuracy())
            told.add(Accuracy.name)
        return cls(tuple(measured), frozenset(told), loss)

    @property
    def needs_outputs(self) -> bool:
        """Whether a metric is computed from the outputs, which are then kept for all images."""
        return bool(self._computed)

    @property
    def _names(self) -> list[str]:
        return [each.name for each in self.metrics]

    @property
    def _computed(self) -> list[Metric]:
        return [each for each in self.metrics if each.name not in self.told]

    def check_labels(self, labels: Values, outputs: int) -> None:
        """Check what the loss has made of labels, before anything is computed.

        Raises:
            InvalidValueError: a metric says nothing of them.
        """
        given = self.loss.as_given(labels, outputs)
        for each in self._computed:
            each.check_labels(given, outputs)

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
            correct: real (n,), 1 or 0; not read unless the loss counts them.
            labels: those of the images, if this `needs_outputs`.
            outputs: likewise.
            penalty: on the parameters, a part of the loss.
        """
        found: dict[str, Any] = {"loss": float(losses.mean(dtype=np.float64)) + penalty}
        found |= {name: float(correct.mean(dtype=np.float64)) for name in self.told}
        if self.needs_outputs:
            assert labels is not None
            assert outputs is not None
            given = self.loss.as_given(labels, outputs.shape[1])
            found |= {each.name: _plain(each.result(given, outputs)) for each in self._computed}
        return Evaluation({"loss": found["loss"]} | {each: found[each] for each in self._names})


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
