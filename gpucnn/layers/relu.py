"""The rectified linear unit."""

from dataclasses import dataclass

from gpucnn.backends import Array, Shape
from gpucnn.layers.base import Layer, Step


@dataclass(eq=False, repr=False)
class ReLU(Layer):
    """The positive part of each element, max(x, 0); the gradient at 0 is 0."""

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: Array, step: Step | None) -> Array:
        output = self.buffer("output", len(x))
        self.backend.relu(x, output)
        return output

    def backward(self, output_gradient: Array) -> Array:
        output = self.buffer("output", len(output_gradient))
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self.backend.relu_gradient(output_gradient, output, input_gradient)
        return input_gradient
