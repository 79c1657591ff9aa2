"""Loss functions."""

from typing import TYPE_CHECKING, Any

from gpucnn.errors import InvalidTypeError
from gpucnn.losses.base import Loss as Loss
from gpucnn.losses.base import PlacedLoss as PlacedLoss
from gpucnn.losses.cross_entropy import BinaryCrossentropy as BinaryCrossentropy
from gpucnn.losses.cross_entropy import CategoricalCrossentropy as CategoricalCrossentropy
from gpucnn.losses.cross_entropy import CategoricalLoss as CategoricalLoss
from gpucnn.losses.cross_entropy import (
    SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
)
from gpucnn.losses.squared_error import MeanSquaredError as MeanSquaredError
from gpucnn.utils import arguments
from gpucnn.utils.keras import lacking

LOSSES: dict[str, type[Loss]] = {
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "bce": BinaryCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
}
"""The losses that a model can be compiled with, by Keras's names, see `name_of`."""

DEFAULT = SparseCategoricalCrossentropy(from_logits=True)
"""The loss of a model that is compiled without one, whether it ends in logits or in softmax."""


def loss_of(loss: Any) -> Loss | None:
    """The loss given to `compile`: an object of one, a name, or None.

    Raises:
        InvalidTypeError: it is none of these, or of a class of the user's that lacks a method.
        InvalidValueError: there is no loss of that name.
    """
    if isinstance(loss, str):
        return LOSSES[arguments.name_of(loss, "loss", tuple(LOSSES))]()
    if loss is None:
        return None
    if not isinstance(loss, Loss):
        raise InvalidTypeError(
            f'the loss is {loss!r}: give a name such as "sparse_categorical_crossentropy", or an '
            "object such as SparseCategoricalCrossentropy(from_logits=True)"
        )
    if loss.is_own:
        _check_methods(type(loss))
    return loss


def _check_methods(kind: type[Loss]) -> None:
    """Check that a class of the user's defines a loss and its gradient, or computes both at once.

    One that derives from a loss of the library may define neither; but not `call`, as in Keras,
    which nothing would call.

    Raises:
        InvalidTypeError: it does not.
    """
    lacking = [name for name in ("value", "gradient") if getattr(kind, name) is getattr(Loss, name)]
    computes = kind.compute is not Loss.compute and not hasattr(kind, "call")
    if len(lacking) == 1 or (lacking and not computes):
        raise InvalidTypeError(
            f"the loss {kind.__name__} does not define {' and '.join(lacking)}: a loss defines "
            "value(labels, outputs) and gradient(labels, outputs), see gpucnn.losses.Loss"
        )


if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
