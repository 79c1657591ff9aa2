"""The fully connected layer."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.base import Layer, Step, glorot_uniform
from gpucnn.utils import arguments


@dataclass(eq=False)
class Dense(Layer):
    """Each output is a weighted sum of all inputs, plus a bias.

    It maps (inputs,) to (units,). The kernel, (inputs, units), is initialised Glorot-uniform; the
    bias, (units,), zero.

    Args:
        units: the number of outputs.

    Raises:
        InvalidValueError: `units` is not a positive integer.
    """

    units: int

    has_parameters: ClassVar[bool] = True

    def __post_init__(self) -> None:
        arguments.positive_integer(self.units, "units")

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 1:
            raise InvalidValueError(
                f"{self.name} takes vectors of shape (inputs,), but its input has the shape "
                f"{input_shape}: put Flatten() before it"
            )
        self.input_shape = input_shape
        self.output_shape = (self.units,)

    def parameter_shapes(self) -> dict[str, Shape]:
        return {"kernel": (*self.input_shape, self.units), "bias": (self.units,)}

    def initial_parameters(self, generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        inputs, units = self.parameter_shapes()["kernel"]
        return {
            "kernel": glorot_uniform(generator, (inputs, units), inputs, units),
            "bias": np.zeros(units),
        }

    def multiply_adds(self) -> int:
        return self.input_shape[0] * self.units

    def forward(self, x: Array, step: Step | None) -> Array:
        self._input = x  # for the gradient of the kernel
        output = self.buffer("output", len(x))
        self.backend.matmul(x, self.parameters["kernel"], output, bias=self.parameters["bias"])
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        return dense_backward(self, self._input, output_gradient)


def dense_backward(layer: Layer, x: Array, output_gradient: Array) -> Array | None:
    """The backward pass of a dense layer, or of one that fuses it, whose input was `x`."""
    compute_parameter_gradients(layer, x, output_gradient)
    if not layer.needs_input_gradient:
        return None
    input_gradient = layer.buffer("input_gradient", len(output_gradient))
    kernel = layer.parameters["kernel"]
    layer.backend.matmul(output_gradient, kernel, input_gradient, transpose_b=True)
    return input_gradient


def compute_parameter_gradients(layer: Layer, x: Array, output_gradient: Array) -> None:
    """Compute the gradients of the kernel and the bias of such a layer, beside what follows."""
    kernel_gradient, bias_gradient = layer.gradients["kernel"], layer.gradients["bias"]
    with layer.backend.branch():
        layer.backend.dense_gradients(x, output_gradient, kernel_gradient, bias_gradient)
