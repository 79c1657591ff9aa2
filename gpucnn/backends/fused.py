"""Fused operations: several layers described as one operation, and the plan to run it."""

from dataclasses import dataclass
from math import prod

import numpy as np

from gpucnn.backends.memory import Array, Order, Shape
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
        order: of the output in memory, and of its gradient, see `Memory.batch_view`.
    """

    window: Window
    pool: Window
    channels: int
    filters: int
    real: "np.dtype[np.floating]"
    order: Order = "C"


@dataclass(eq=False)
class ConvReluPoolPlan:
    """What a backend prepares in order to run a `ConvReluPool` on batches of one size.

    Args:
        fused: the operation.
        arrays: memory that is kept from the forward pass for the gradients, by name; the backend
            alone defines its contents.
    """

    fused: ConvReluPool
    arrays: dict[str, Array]


@dataclass(frozen=True)
class ConvClassifier:
    """A convolution of images of one channel, ReLU, max-pooling, and a dense layer of logits.

    Args:
        window: the geometry of the convolution.
        pool: the geometry of the pooling of its output.
        filters: the filters of the convolution.
        classes: the logits.
        real: the dtype of the parameters.
    """

    window: Window
    pool: Window
    filters: int
    classes: int
    real: "np.dtype[np.floating]"

    @property
    def features(self) -> int:
        """The inputs of the dense layer."""
        return prod(self.pool.output) * self.filters

    @property
    def convolution_parameters(self) -> int:
        """The parameters of the convolution, its bias included."""
        return (self.window.elements + 1) * self.filters

    def pooled(self, images: int) -> Shape:
        """The shape of the pooled output of a batch."""
        return (images, *self.pool.output, self.filters)

    def split(self, vector: Array) -> tuple[Array, Array, Array, Array]:
        """Views of a flat vector of parameters: the kernel and bias of each layer, in order."""
        shapes = (
            (*self.window.size, 1, self.filters),
            (self.filters,),
            (self.features, self.classes),
            (self.classes,),
        )
        ends = np.cumsum([prod(shape) for shape in shapes])
        kernel, bias, dense_kernel, dense_bias = (
            vector[end - prod(shape) : end].reshape(shape)
            for shape, end in zip(shapes, ends, strict=True)
        )
        return kernel, bias, dense_kernel, dense_bias
