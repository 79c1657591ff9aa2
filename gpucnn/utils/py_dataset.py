"""Data sets in Python: batches that are asked for by number."""

from abc import ABC, abstractmethod
from typing import Any

from gpucnn.utils.keras.arguments import without_absent


class PyDataset(ABC):
    """Batches by their numbers, for `fit`, `evaluate` and `predict`; the base class, as in Keras.

    A data set of your own defines `__len__` and `__getitem__`. Batches are asked for one after the
    other in the thread of the call; `fit` may ask for them in another order in each epoch.

    Args:
        absent: Keras's arguments `workers`, `use_multiprocessing` and `max_queue_size`, which are
            taken at their defaults.

    Raises:
        InvalidTypeError: there are other arguments, or one has another value.
    """

    def __init__(self, **absent: Any) -> None:
        without_absent("PyDataset", (), absent)

    @abstractmethod
    def __len__(self) -> int:
        """The number of batches of an epoch."""

    @abstractmethod
    def __getitem__(self, index: int) -> Any:
        """The batch of a number from 0: (images, labels), or these and sample_weight."""

    def on_epoch_begin(self) -> None:  # noqa: B027 - it need not be defined
        """Called before each epoch, or each evaluation or prediction."""

    def on_epoch_end(self) -> None:  # noqa: B027
        """Called after it."""


Sequence = PyDataset
"""Keras's older name of it."""
