"""What every loss function is: a mean over images of a number for each, and its gradient."""

from copy import copy
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, BatchMemory, Buffer
from gpucnn.errors import InvalidValueError
from gpucnn.losses.labels import check_numbers
from gpucnn.utils.keras.arguments import keras_arguments
from gpucnn.utils.objects.extensible import Extensible


class Loss(Extensible):
    """A loss function, of the outputs of a model's last layer and of labels.

    A loss of your own defines `value` and `gradient`, in array code over `self.xp`: so it runs on
    every device.

    Attributes:
        xp: the module of the arrays, NumPy or CuPy; set in a model.
        measures_accuracy: whether `compute` counts the images that are classified correctly, so
            that the accuracy is among the metrics of every model with this loss.
        is_of_classes: whether it is the cross-entropy of classes, with which layers can be fused.
    """

    xp: Any = np

    measures_accuracy: ClassVar[bool] = False
    is_of_classes: ClassVar[bool] = False

    @keras_arguments
    def __init__(self) -> None:
        """Make a loss, which has no arguments of its own."""

    def check_end(self, end: str) -> None:
        """Check that the loss fits a model.

        Args:
            end: the activation of its last layer: "softmax", "sigmoid" or "linear" for any other.

        Raises:
            InvalidValueError: it does not.
        """
        if end == "softmax":
            raise InvalidValueError(
                f"the model ends in softmax, which {type(self).__name__} does not take: end with a "
                "layer without an activation, or compile with categorical_crossentropy"
            )

    def takes_input_of(self, end: str) -> bool:
        """Whether the loss takes what the last activation, `end`, is applied to, its logits."""
        return False

    def labels(self, y: Any, count: int, outputs: int) -> NDArray[Any]:
        """Check the labels of images.

        Args:
            y: as the user gives them.
            count: the number of images.
            outputs: the number of outputs of the model.

        Returns:
            What `value` is given, except the dtype: whole numbers (n,), or real (n, outputs).

        Raises:
            InvalidTypeError: they are not numbers.
            InvalidValueError: their shape is another, or a number is not finite.
        """
        return check_numbers(y, count, outputs)

    def as_given(self, labels: NDArray[Any], outputs: int) -> NDArray[Any]:
        """The labels as the user gave them, for metrics.

        Args:
            labels: what `labels` returned.
            outputs: the number of outputs of the model.
        """
        return labels

    # For metrics

    def tells_accuracy(self, outputs: int) -> bool:
        """Whether what `compute` counts of a model with so many outputs is its accuracy."""
        return self.measures_accuracy

    def threshold(self, outputs: int) -> float | None:
        """Above what a prediction says yes by itself; None if the greatest of several decides.

        Args:
            outputs: the number of outputs of the model.
        """
        return 0.5 if outputs == 1 else None

    # Computing

    def value(self, labels: Array, outputs: Array) -> Array:
        """The loss of each image, real (n,).

        Args:
            labels: real (n, outputs), or int64 (n,), see `labels`.
            outputs: real (n, outputs), of the model's last layer.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define value")

    def gradient(self, labels: Array, outputs: Array) -> Array:
        """The gradient of each image's loss with respect to its outputs, real (n, outputs)."""
        raise NotImplementedError(f"{type(self).__name__} does not define gradient")

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
        """Compute the losses of a microbatch, and the gradient of the mean loss of its batch.

        Args:
            backend: where the arrays live.
            labels: as for `value`.
            outputs: as for `value`.
            losses: real (n,), written.
            correct: real (n,): where this `measures_accuracy`, 1 is written if the label is what
                the outputs say, else 0.
            gradient: real (n, outputs), written, or None if it is not needed.
            images: the number of images in the whole batch.
        """
        losses[...] = self._checked("value", labels, outputs, losses.shape)
        if self.measures_accuracy:
            correct[...] = self.hits(labels, outputs)
        if gradient is not None:
            gradient[...] = self._checked("gradient", labels, outputs, gradient.shape) / images

    def _checked(self, method: str, labels: Array, outputs: Array, shape: tuple[int, ...]) -> Array:
        """What `value` or `gradient` returns.

        Raises:
            InvalidValueError: its shape is another, which might be broadcast.
        """
        found: Array = getattr(self, method)(labels, outputs)
        if getattr(found, "shape", None) != shape:
            is_array = hasattr(found, "shape")
            given = f"the shape {found.shape}" if is_array else f"type {type(found).__name__}"
            raise InvalidValueError(
                f"{method} of {type(self).__name__} returns what is of {given}: return an array of "
                f"the shape {shape}"
            )
        return found

    def hits(self, labels: Array, outputs: Array) -> Array:
        """For each image 1 if the label is what the outputs say, else 0: of the accuracy.

        The label is the greatest of several outputs; of a single output, whether it is above 0.5.
        """
        xp = self.xp
        if outputs.shape[1] == 1:
            return ((outputs > 0.5) == (labels.reshape(outputs.shape) > 0.5))[:, 0]  # type: ignore[no-any-return]
        classes = labels if labels.ndim == 1 else xp.argmax(labels, axis=1)
        return xp.argmax(outputs, axis=1) == classes  # type: ignore[no-any-return]


class PlacedLoss:
    """A loss on a backend, with memory for its gradient.

    Args:
        loss: the loss.
        backend: where the arrays live.
        outputs: the number of outputs of the model.
        dtype: real, of the outputs.
    """

    def __init__(
        self, loss: Loss, backend: Backend, outputs: int, dtype: "np.dtype[np.floating]"
    ) -> None:
        self.loss = copy(loss)
        vars(self.loss)["xp"] = backend.xp
        # A subclass of one of the library's may define `value` and leave its `compute`.
        defines_value = type(loss).value is not Loss.value
        self._compute = partial(Loss.compute, self.loss) if defines_value else self.loss.compute
        self._backend = backend
        self._gradient = BatchMemory(backend, Buffer((outputs,)), dtype)

    def evaluate(self, outputs: Array, labels: Array, losses: Array, correct: Array) -> None:
        """Compute the loss of each image, and whether it is classified correctly.

        Args:
            outputs: real (n, outputs).
            labels: int64 (n,), or real (n, outputs), see `Loss.labels`.
            losses: real (n,), written.
            correct: real (n,), written.
        """
        self._compute(self._backend, labels, outputs, losses, correct)

    def gradient(
        self, outputs: Array, labels: Array, losses: Array, correct: Array, images: int
    ) -> Array:
        """Compute the same as `evaluate`, and the gradient of the mean loss over the batch.

        Args:
            outputs: real (n, outputs), of a microbatch.
            labels: as for `evaluate`.
            losses: as for `evaluate`.
            correct: as for `evaluate`.
            images: the number of images in the whole batch.

        Returns:
            The gradient with respect to `outputs`, of their shape; the next call overwrites it.
        """
        gradient = self._gradient[len(outputs)]
        self._compute(self._backend, labels, outputs, losses, correct, gradient, images)
        return gradient
