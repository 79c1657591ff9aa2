"""Loss functions."""

import numpy as np

from gpucnn.backends import Array, Backend, BatchMemory, Buffer


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
