"""Regularizers: penalties on weights that are added to the loss."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpucnn.errors import InvalidTypeError
from gpucnn.utils import arguments
from gpucnn.utils.keras import lacking
from gpucnn.utils.objects.config import Configurable


@dataclass(frozen=True)
class L2(Configurable):
    """The penalty `l2` times the sum of the squares of the weights.

    Args:
        l2: at least 0.

    Raises:
        InvalidValueError: `l2` is not such a number.
    """

    l2: float = 0.01

    def __post_init__(self) -> None:
        arguments.non_negative_number(self.l2, "l2")


l2 = L2
"""Keras's other name of it."""

REGULARIZERS = {"l2": L2}
"""By Keras's names, see `name_of`."""


def regularizer_of(regularizer: Any, name: str) -> L2 | None:
    """The regularizer given as the argument `name`: an object, a name, or None.

    Raises:
        InvalidTypeError: it is none of these.
        InvalidValueError: there is no regularizer of that name.
    """
    if isinstance(regularizer, str):
        return REGULARIZERS[arguments.name_of(regularizer, name, tuple(REGULARIZERS))]()
    if regularizer is not None and not isinstance(regularizer, L2):
        raise InvalidTypeError(f"{name} is {regularizer!r}: give an object, such as L2(0.01)")
    return regularizer


if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
