"""What training makes small."""

import numpy as np

from gpucnn.backends import Array, Backend, with_rows


class SoftmaxCrossEntropy:
    """The mean over a batch of -log softmax(logits)[label], for logits of any size.

    Args:
        backend: where the arrays live.
        classes: the number of logits of an image.
        dtype: real, that of the logits.
    """

    def __init__(self, backend: Backend, classes: int, dtype: "np.dtype[np.floating]") -> None:
        self._backend = backend
        self._gradient = backend.empty((0, classes), dtype)

    def evaluate(self, logits: Array, labels: Array, losses: Array, correct: Array) -> None:
        """The loss of each image, and whether its largest logit is its label's.

        Args:
            logits: real (n, classes).
            labels: int64 (n,), in [0, classes).
            losses: real (n,), written.
            correct: real (n,), written, 1 or 0.
        """
        self._backend.softmax_cross_entropy(logits, labels, losses, correct)

    def gradient(self, logits: Array, labels: Array, losses: Array, correct: Array) -> Array:
        """As `evaluate`; returns the gradient of the mean of `losses`, real (n, classes).

        The gradient is memory of this object, which the next call overwrites.
        """
        self._gradient = with_rows(self._backend, self._gradient, len(logits))
        gradient = self._gradient[: len(logits)]
        self._backend.softmax_cross_entropy(logits, labels, losses, correct, gradient)
        return gradient
