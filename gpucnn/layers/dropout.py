"""The dropout layers: of single elements, and of whole channels."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from gpucnn.backends import Array, Buffer, Calls, Shape
from gpucnn.layers.base import Layer, Settable, Step
from gpucnn.layers.windowed.sliding import image_size
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class Dropout(Layer):
    """Zeroes random elements and scales the others by 1 / (1 - rate); in training only.

    The choice of elements is a function of the model's seed, the layer's index in the model and the
    number of the training step: the same on every device, and in a resumed run.

    Args:
        rate: the probability of an element to be zeroed, in [0, 1).

    Raises:
        InvalidValueError: `rate` is not a number in that range.
    """

    settable: ClassVar[Settable] = {"rate": arguments.share}

    rate: float

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def inference_buffers(self) -> dict[str, Buffer]:
        return {}

    def training_buffers(self) -> dict[str, Buffer]:
        dropped = {"mask": Buffer(self._mask_shape()), "output": Buffer(self.output_shape)}
        return super().training_buffers() | dropped

    def forward(self, x: Array, step: Step | None) -> Array:
        self._dropping = step is not None and step.number is not None
        if step is None or step.number is None:
            return x
        mask, output = self.buffer("mask", len(x)), self.buffer("output", len(x))
        first = step.first * prod(self._mask_shape())
        self._drop(x, step.number, mask, output, first)
        return output

    def _bind(self, x: Array, calls: Calls) -> Array:
        return x

    def backward(self, output_gradient: Array) -> Array:
        if not self._dropping:
            return output_gradient
        mask = self.buffer("mask", len(output_gradient))
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self._multiply(output_gradient, mask, input_gradient)
        return input_gradient

    def _mask_shape(self) -> Shape:
        """The shape of the mask of one image."""
        return self.input_shape

    def _drop(self, x: Array, step: Array, mask: Array, out: Array, first: int) -> None:
        """Draw the mask, whose first element has the number `first` in the batch, and apply it."""
        self.backend.dropout(x, self.rate, self.seed, self.index, step, mask, out, first)

    def _multiply(self, array: Array, mask: Array, out: Array) -> None:
        """Apply a mask."""
        self.backend.multiply(array, mask, out)


@dataclass(eq=False, repr=False)
class SpatialDropout2D(Dropout):
    """Zeroes random channels of images and scales the others by 1 / (1 - rate); in training only.

    Tompson, Goroshin, Jain, LeCun and Bregler, "Efficient object localization using convolutional
    networks", CVPR 2015.

    Args:
        rate: the probability of a channel of an image to be zeroed, in [0, 1).

    Raises:
        InvalidValueError: `rate` is not a number in that range.
    """

    def build(self, input_shape: Shape) -> None:
        image_size(self.name, input_shape)
        super().build(input_shape)

    def _mask_shape(self) -> Shape:
        return self.input_shape[2:]

    def _drop(self, x: Array, step: Array, mask: Array, out: Array, first: int) -> None:
        self.backend.draw_mask(self.rate, self.seed, self.index, step, mask, first)
        self._multiply(x, mask, out)

    def _multiply(self, array: Array, mask: Array, out: Array) -> None:
        self.backend.scale_channels(array, mask, out)
