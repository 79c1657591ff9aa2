"""The dropout layer."""

from dataclasses import dataclass
from math import prod

from gpucnn.backends import Array, Buffer, Shape
from gpucnn.layers.base import Layer, Step
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

    rate: float

    def __post_init__(self) -> None:
        arguments.share(self.rate, "rate")

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def inference_buffers(self) -> dict[str, Buffer]:
        return {}

    def training_buffers(self) -> dict[str, Buffer]:
        dropped = {"mask": Buffer(self.input_shape), "output": Buffer(self.output_shape)}
        return super().training_buffers() | dropped

    def forward(self, x: Array, step: Step | None) -> Array:
        self._dropping = step is not None and step.number is not None
        if step is None or step.number is None:
            return x
        mask, output = self.buffer("mask", len(x)), self.buffer("output", len(x))
        first = step.first * prod(self.input_shape)
        self.backend.dropout(x, self.rate, self.seed, self.index, step.number, mask, output, first)
        return output

    def backward(self, output_gradient: Array) -> Array:
        if not self._dropping:
            return output_gradient
        mask = self.buffer("mask", len(output_gradient))
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self.backend.multiply(output_gradient, mask, input_gradient)
        return input_gradient
