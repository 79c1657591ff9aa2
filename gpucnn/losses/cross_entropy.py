"""Cross-entropies: -log of the probability that a model gives to what is right."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend
from gpucnn.errors import InvalidValueError
from gpucnn.losses.base import Loss
from gpucnn.losses.labels import check_labels, check_numbers
from gpucnn.utils import arguments


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """A cross-entropy, computed from logits whether a model ends in these or in probabilities.

    So nothing overflows.

    Args:
        from_logits: whether the model ends in logits; False if it ends in the activation that makes
            probabilities of them.
        label_smoothing: the share of each label that is given to all outcomes alike, in [0, 1).

    Raises:
        InvalidValueError: an argument is not as described.
    """

    activation: ClassVar[str]
    """What makes probabilities of logits."""

    measures_accuracy: ClassVar[bool] = True

    from_logits: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        arguments.flag(self.from_logits, "from_logits")
        arguments.share(self.label_smoothing, "label_smoothing")

    def check_end(self, end: str) -> None:
        name = type(self).__name__
        if self.from_logits and end == self.activation:
            raise InvalidValueError(
                f"the model ends in {end}, but {name}(from_logits=True) takes logits: leave out "
                "one of the two"
            )
        ends = "logits" if end == "linear" else end
        if not self.from_logits and end != self.activation:
            raise InvalidValueError(
                f"the model ends in {ends}, but {name}() takes probabilities: end the model with "
                f'activation="{self.activation}", or give {name}(from_logits=True)'
            )

    def takes_input_of(self, end: str) -> bool:
        return end == self.activation

    def _rough(self, rows: NDArray[Any], outcomes: int) -> NDArray[Any]:
        """Rows of probabilities before they were smoothed, of so many outcomes of a label."""
        rough: NDArray[Any] = (rows - self.label_smoothing / outcomes) / (1 - self.label_smoothing)
        return rough


# Of one of several classes


@dataclass(frozen=True)
class CategoricalLoss(CrossEntropy):
    """The mean of -log p[label], p being the probabilities of the classes: softmax(logits)."""

    activation: ClassVar[str] = "softmax"
    is_of_classes: ClassVar[bool] = True

    def labels(self, y: Any, count: int, outputs: int) -> NDArray[Any]:
        """The labels as whole numbers (n,); as probabilities (n, classes) if some are not certain.

        Raises:
            InvalidTypeError: they are of another dtype than the loss takes.
            InvalidValueError: their shape is another, or one is not that of a class.
        """
        labels = self._labels(y, count, outputs)
        if not self.label_smoothing:
            return labels
        rows = np.eye(outputs)[labels] if labels.ndim == 1 else labels
        smooth: NDArray[Any] = rows * (1 - self.label_smoothing) + self.label_smoothing / outputs
        return smooth

    @abstractmethod
    def _labels(self, y: Any, count: int, classes: int) -> NDArray[Any]:
        """The labels before they are smoothed."""

    def compute(
        self,
        backend: Backend,
        labels: Array,
        outputs: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        certain = labels.ndim == 1
        compute = backend.softmax_cross_entropy if certain else backend.soft_cross_entropy
        compute(outputs, labels, losses, correct, gradient, images)


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(CategoricalLoss):
    """Cross-entropy with labels that are whole numbers, (n,) or (n, 1)."""

    def as_given(self, labels: NDArray[Any], outputs: int) -> NDArray[Any]:
        return labels if labels.ndim == 1 else labels.argmax(axis=1)

    def _labels(self, y: Any, count: int, classes: int) -> NDArray[Any]:
        labels: NDArray[Any] = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        return check_labels(labels, count, classes)


@dataclass(frozen=True)
class CategoricalCrossentropy(CategoricalLoss):
    """Cross-entropy with labels that are rows (n, classes) of probabilities, such as 0, 1, 0."""

    def as_given(self, labels: NDArray[Any], outputs: int) -> NDArray[Any]:
        return np.eye(outputs)[labels] if labels.ndim == 1 else self._rough(labels, outputs)

    def _labels(self, y: Any, count: int, classes: int) -> NDArray[Any]:
        rows: NDArray[Any] = np.asarray(y)
        if rows.ndim != 2 or rows.shape[1] != classes:
            raise InvalidValueError(
                f"the labels have the shape {rows.shape}: give a row of {classes} numbers for "
                "each, as to_categorical makes it, or compile with sparse_categorical_crossentropy"
            )
        rows = check_numbers(rows, count, classes)
        if not ((rows >= 0).all() and (abs(rows.sum(axis=1) - 1) < SUM_TOLERANCE).all()):
            raise InvalidValueError(
                "the labels are not rows of probabilities that add up to 1: give the probability "
                "of each class, as to_categorical makes it of a class that is certain"
            )
        return rows.argmax(axis=1) if (rows.max(axis=1) == 1).all() else rows


SUM_TOLERANCE = 1e-3
"""How far the probabilities of a label may add up to something else than 1, by rounding."""


# Of each output by itself


@dataclass(frozen=True)
class BinaryCrossentropy(CrossEntropy):
    """The mean over outputs of the cross-entropy of what each tells: yes or no.

    Labels are rows (n, outputs) of probabilities, such as 0 and 1; (n,) for a single output. The
    probability of an output is sigmoid(logit).
    """

    activation: ClassVar[str] = "sigmoid"

    def as_given(self, labels: NDArray[Any], outputs: int) -> NDArray[Any]:
        return self._rough(labels, 2)

    def tells_accuracy(self, outputs: int) -> bool:
        """Whether there is one: of several, the share is counted that are right, by themselves.

        A loss of the user's that derives from this one counts by logits what its `hits` takes for
        probabilities.
        """
        return outputs == 1 and type(self).value is Loss.value

    def threshold(self, outputs: int) -> float | None:
        return 0.0 if self.from_logits else 0.5

    def labels(self, y: Any, count: int, outputs: int) -> NDArray[Any]:
        rows = check_numbers(y, count, outputs)
        if not ((rows >= 0) & (rows <= 1)).all():
            raise InvalidValueError(
                f"the labels are from {rows.min():g} to {rows.max():g}: give probabilities, such "
                "as 0 and 1"
            )
        smooth: NDArray[Any] = rows * (1 - self.label_smoothing) + self.label_smoothing / 2
        return smooth

    def compute(
        self,
        backend: Backend,
        labels: Array,
        outputs: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        backend.sigmoid_cross_entropy(outputs, labels, losses, correct, gradient, images)
