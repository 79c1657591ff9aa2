"""Fused operations: several layers described as one operation, and the plan to run it."""

from dataclasses import dataclass

import numpy as np

from gpucnn.backends.memory import Array
from gpucnn.backends.window import Window


@dataclass(frozen=True)
class ConvReluPool:
    """A convolution, ReLU and max-pooling in sequence.

    Args:
        window: the geometry of the convolution.
        pool: the geometry of the pooling of its output.
        channels: the channels of the images.
        filters: the filters of the convolution.
        real: the dtype of the images.
    """

    window: Window
    pool: Window
    channels: int
    filters: int
    real: "np.dtype[np.floating]"


@dataclass(frozen=True)
class ConvReluPoolPlan:
    """What a backend prepares in order to run a `ConvReluPool` on batches of one size.

    Args:
        fused: the operation.
        arrays: memory that is kept from the forward pass for the gradients, by name; the backend
            alone defines its contents.
    """

    fused: ConvReluPool
    arrays: dict[str, Array]
