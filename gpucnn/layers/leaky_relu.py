"""The leaky rectified linear unit."""

from dataclasses import dataclass

from gpucnn.backends import Array, Shape
from gpucnn.layers.base import Layer, Step
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class LeakyReLU(Layer):
    """Each element above 0 as it is, the others times a slope; so is the gradient.

    Args:
        negative_slope: at least 0.

    Raises:
        InvalidValueError: `negative_slope` is not such a number.
    """

    negative_slope: float = 0.3

    def __post_init__(self) -> None:
        arguments.non_negative_number(self.negative_slope, "negative_slope")

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape

    def forward(self, x: Array, step: Step | None) -> Array:
        output = self.buffer("output", len(x))
        self.backend.leaky_relu(x, self.negative_slope, output)
        return output

    def backward(self, output_gradient: Array) -> Array:
        output = self.buffer("output", len(output_gradient))
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self.backend.leaky_relu_gradient(
            output_gradient, output, self.negative_slope, input_gradient
        )
        return input_gradient
