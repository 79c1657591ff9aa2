"""The squared error."""

from dataclasses import dataclass

from gpucnn.backends import Array, Backend
from gpucnn.losses.base import Loss


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """The mean over outputs of the squared difference from the label.

    Labels are rows (n, outputs) of numbers; (n,) for a single output.
    """

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
        backend.squared_error(outputs, labels, losses, gradient, images)
