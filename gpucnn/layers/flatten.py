"""The layer between images and vectors."""

from dataclasses import dataclass
from math import prod

from gpucnn.backends import Array, Buffer, Shape
from gpucnn.layers.base import Layer, Step


@dataclass(eq=False)
class Flatten(Layer):
    """Reshapes each image to a vector, in the order rows, columns, channels."""

    def build(self, input_shape: Shape) -> None:
        self.input_shape = input_shape
        self.output_shape = (prod(input_shape),)

    def inference_buffers(self) -> dict[str, Buffer]:
        return {}

    def training_buffers(self) -> dict[str, Buffer]:
        return {}

    def forward(self, x: Array, step: Step | None) -> Array:
        return x.reshape(len(x), *self.output_shape)

    def backward(self, output_gradient: Array) -> Array:
        return output_gradient.reshape(len(output_gradient), *self.input_shape)
