"""Loss functions: those that a model is compiled with, and what computes them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, BatchMemory, Buffer
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.utils import arguments


@dataclass(frozen=True)
class CategoricalLoss(ABC):
    """The mean of -log p[label], p being the probabilities of the classes: softmax(logits).

    Args:
        from_logits: whether the model ends in logits; False if it ends in softmax. The loss is that
            of the logits in either case, so that nothing overflows.

    Raises:
        InvalidValueError: `from_logits` is not True or False.
    """

    from_logits: bool = False

    def __post_init__(self) -> None:
        arguments.flag(self.from_logits, "from_logits")

    def check_end(self, *, ends_in_softmax: bool) -> None:
        """Check that the loss fits a model.

        Args:
            ends_in_softmax: whether the model does.

        Raises:
            InvalidValueError: it takes the outputs for what they are not.
        """
        name = type(self).__name__
        if self.from_logits and ends_in_softmax:
            raise InvalidValueError(
                f"the model ends in softmax, but {name}(from_logits=True) takes logits: leave out "
                "one of the two"
            )
        if not self.from_logits and not ends_in_softmax:
            raise InvalidValueError(
                f"the model ends in logits, but {name}() takes probabilities: end the model with "
                f'activation="softmax", or give {name}(from_logits=True)'
            )

    @abstractmethod
    def labels(self, y: Any, classes: int) -> Any:
        """The labels as whole numbers (n,), to be checked yet.

        Args:
            y: the labels as the loss takes them.
            classes: the number of classes.
        """


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(CategoricalLoss):
    """Cross-entropy with labels that are whole numbers, (n,) or (n, 1)."""

    def labels(self, y: Any, classes: int) -> Any:
        labels: NDArray[Any] = np.asarray(y)
        return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


@dataclass(frozen=True)
class CategoricalCrossentropy(CategoricalLoss):
    """Cross-entropy with labels that are rows (n, classes) of zeros, and 1 for the class."""

    def labels(self, y: Any, classes: int) -> Any:
        rows: NDArray[Any] = np.asarray(y)
        if rows.ndim != 2 or rows.shape[1] != classes:
            raise InvalidValueError(
                f"the labels have the shape {rows.shape}: give a row of {classes} numbers for "
                "each, as to_categorical makes it, or compile with sparse_categorical_crossentropy"
            )
        if not (((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all()):
            raise InvalidValueError(
                "the labels are not rows of zeros with a single 1: give the class of each image, "
                "as to_categorical makes its row"
            )
        return rows.argmax(axis=1)


LOSSES = {
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
}
"""The losses that a model can be compiled with, by Keras's names."""


def loss_of(loss: Any) -> CategoricalLoss | None:
    """The loss given to `compile`: an object of one, a name, or None.

    Raises:
        InvalidTypeError: it is none of these.
        InvalidValueError: there is no loss of that name.
    """
    if isinstance(loss, str):
        return LOSSES[arguments.one_of(loss, "loss", tuple(LOSSES))]()
    if loss is not None and not isinstance(loss, CategoricalLoss):
        raise InvalidTypeError(
            f'the loss is {loss!r}: give a name such as "sparse_categorical_crossentropy", or an '
            "object such as SparseCategoricalCrossentropy(from_logits=True)"
        )
    return loss


class SoftmaxCrossEntropy:
    """The mean over a batch of -log softmax(logits)[label], without overflow for large logits.

    Args:
        backend: where the arrays live.
        classes: the number of classes.
        dtype: real, of the logits.
    """

    def __init__(self, backend: Backend, classes: int, dtype: "np.dtype[np.floating]") -> None:
        self._backend = backend
        self._gradient = BatchMemory(backend, Buffer((classes,)), dtype)

    def evaluate(self, logits: Array, labels: Array, losses: Array, correct: Array) -> None:
        """Compute the loss of each image, and whether its largest logit is its label's.

        Args:
            logits: real (n, classes).
            labels: int64 (n,), in [0, classes).
            losses: real (n,), written.
            correct: real (n,), written, 1 or 0.
        """
        self._backend.softmax_cross_entropy(logits, labels, losses, correct)

    def gradient(
        self, logits: Array, labels: Array, losses: Array, correct: Array, images: int
    ) -> Array:
        """Compute the same as `evaluate`, and the gradient of the mean loss over the batch.

        Args:
            logits: real (n, classes), of a microbatch.
            labels: as for `evaluate`.
            losses: as for `evaluate`.
            correct: as for `evaluate`.
            images: the number of images in the whole batch.

        Returns:
            The gradient with respect to `logits`, real (n, classes); the next call overwrites it.
        """
        gradient = self._gradient[len(logits)]
        self._backend.softmax_cross_entropy(logits, labels, losses, correct, gradient, images)
        return gradient
