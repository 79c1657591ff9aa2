"""What is fused: several layers described as one operation, and the plan of it."""

from dataclasses import dataclass

import numpy as np

from gpucnn.backends.memory import Array
from gpucnn.backends.window import Window


@dataclass(frozen=True)
class ConvReluPool:
    """A convolution, ReLU, and max-pooling, one after the other.

    Args:
        window: the geometry of the convolution.
        pool: the geometry of the pooling of its output.
        channels: of the images.
        filters: of the convolution.
        real: the dtype of the images.
    """

    window: Window
    pool: Window
    channels: int
    filters: int
    real: "np.dtype[np.floating]"


@dataclass(frozen=True)
class ConvReluPoolPlan:
    """What a backend prepares to run a `ConvReluPool` on batches of one size.

    Args:
        fused: what it runs.
        arrays: kept from the forward pass for the gradients; what they hold is the backend's
            affair.
    """

    fused: ConvReluPool
    arrays: dict[str, Array]
