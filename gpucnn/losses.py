"""Loss functions."""

import numpy as np

from gpucnn.backends import Array, Backend, BatchMemory, Buffer


class SoftmaxCrossEntropy:
    """The mean over a batch of -log softmax(logits)[label], for logits of any size.

    Args:
        backend: where the arrays live.
        classes: the number of logits of an image.
        dtype: real, that of the logits.
    """

    def __init__(self, backend: Backend, classes: int, dtype: "np.dtype[np.floating]") -> None:
        self._backend = backend
        self._gradient = BatchMemory(backend, Buffer((classes,)), dtype)

    def evaluate(self, logits: Array, labels: Array, losses: Array, correct: Array) -> None:
        """The loss of each image, and whether its largest logit is its label's.

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
        """As `evaluate`; returns the gradient of the mean over a batch, real (n, classes).

        Args:
            logits: as for `evaluate`, of some or all images of the batch.
            labels: as for `evaluate`.
            losses: as for `evaluate`.
            correct: as for `evaluate`.
            images: how many images the batch has.

        Returns:
            Memory of this object, which the next call overwrites.
        """
        gradient = self._gradient[len(logits)]
        self._backend.softmax_cross_entropy(logits, labels, losses, correct, gradient, images)
        return gradient
