"""What a model is trained for, and what it predicts."""

from collections.abc import Sequence
from dataclasses import dataclass

from gpucnn.layers import Layer
from gpucnn.layers.affine import SOFTMAX
from gpucnn.layers.ends import end_of
from gpucnn.losses import DEFAULT, Loss


@dataclass(frozen=True)
class Objective:
    """A loss, and the function that makes predictions of what the loss takes.

    Args:
        loss: the loss function.
        predicts_softmax: whether predictions are the softmax of what the loss takes.
        omits_last: whether the loss takes the input of the last layer, an activation.
    """

    loss: Loss = DEFAULT
    predicts_softmax: bool = True
    omits_last: bool = False

    @property
    def can_fuse_loss(self) -> bool:
        """Whether layers and the loss may be one operation: it is the library's, of classes."""
        return self.loss.is_of_classes and not self.loss.is_own

    @classmethod
    def of(cls, loss: Loss | None, layers: Sequence[Layer]) -> "Objective":
        """That of a model.

        Args:
            loss: what it is compiled with; None for the default.
            layers: the model's.

        Raises:
            InvalidValueError: the loss does not fit what the layers end in.
        """
        end = end_of(layers)
        if loss is None:
            return cls(predicts_softmax=end != "sigmoid")
        loss.check_end(end)
        is_softmax = end == SOFTMAX
        return cls(loss, is_softmax, loss.takes_input_of(end) and not is_softmax)
