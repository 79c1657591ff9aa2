"""Memory with a part for each image of a batch, described."""

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

Shape = tuple[int, ...]
Order = Literal["C", "F"]


@dataclass(frozen=True)
class Buffer:
    """Memory that is needed for each image of a batch.

    `dtype` is None for the floating-point dtype of the model. `order` is that of
    `Backend.batch_view`.
    """

    shape: Shape
    dtype: str | None = None
    order: Order = "C"

    def size(self, real: "np.dtype[np.floating]") -> int:
        """The bytes for one image, in a model of dtype `real`."""
        return prod(self.shape) * np.dtype(self.dtype or real).itemsize
