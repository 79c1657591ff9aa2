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
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
}
"""The losses that a model can be compiled with, by Keras's names."""

DEFAULT = SparseCategoricalCrossentropy(from_logits=True)
"""The loss of a model that is compiled without one, whether it ends in logits or in softmax."""


def loss_of(loss: Any) -> Loss | None:
    """The loss given to `compile`: an object of one, a name, or None.

    Raises:
        InvalidTypeError: it is none of these.
        InvalidValueError: there is no loss of that name.
    """
    if isinstance(loss, str):
        return LOSSES[arguments.one_of(loss, "loss", tuple(LOSSES))]()
    if loss is not None and not isinstance(loss, Loss):
        raise InvalidTypeError(
            f'the loss is {loss!r}: give a name such as "sparse_categorical_crossentropy", or an '
            "object such as SparseCategoricalCrossentropy(from_logits=True)"
        )
    return loss


if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
