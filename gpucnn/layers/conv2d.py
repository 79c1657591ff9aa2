"""The convolution layer."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Buffer, Shape
from gpucnn.backends.window import PADDINGS, Padding, Pair
from gpucnn.layers.base import Layer, Step, glorot_uniform
from gpucnn.layers.sliding import slide
from gpucnn.utils import arguments


@dataclass(eq=False)
class Conv2D(Layer):
    """2-D convolution: each output is a weighted sum over a window of the input, plus a bias.

    It maps (height, width, channels) to (rows, columns, filters). The kernel, (kernel height,
    kernel width, channels, filters), is initialised Glorot-uniform; the bias, (filters,), zero.

    Args:
        filters: the number of filters, which is that of the output's channels.
        kernel_size: (height, width) of the window, or one number for both.
        strides: of the window, (vertical, horizontal), or one number for both.
        padding: "valid" for windows within the image only, or "same" for zero padding to an output
            of ceil(size / strides).

    Raises:
        InvalidValueError: an argument is not as described.
    """

    filters: int
    kernel_size: int | Pair
    strides: int | Pair = 1
    padding: Padding = "valid"

    has_parameters: ClassVar[bool] = True

    def __post_init__(self) -> None:
        arguments.positive_integer(self.filters, "filters")
        self._size = arguments.positive_pair(self.kernel_size, "kernel_size")
        self._strides = arguments.positive_pair(self.strides, "strides")
        arguments.one_of(self.padding, "padding", PADDINGS)

    def build(self, input_shape: Shape) -> None:
        self.window = slide(self.name, input_shape, self._size, self._strides, self.padding)
        self.input_shape = input_shape
        self.output_shape = (*self.window.output, self.filters)

    def parameter_shapes(self) -> dict[str, Shape]:
        channels = self.input_shape[2]
        return {"kernel": (*self.window.size, channels, self.filters), "bias": (self.filters,)}

    def initial_parameters(self, generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        shape = self.parameter_shapes()["kernel"]
        fan_in, fan_out = prod(shape[:3]), self.window.elements * self.filters
        return {
            "kernel": glorot_uniform(generator, shape, fan_in, fan_out),
            "bias": np.zeros(self.filters),
        }

    def multiply_adds(self) -> int:
        return prod(self.window.output) * prod(self.parameter_shapes()["kernel"])

    def inference_buffers(self) -> dict[str, Buffer]:
        patch = self.window.elements * self.input_shape[2]
        patches = Buffer((prod(self.window.output), patch), order="F")
        return super().inference_buffers() | {"patches": patches}

    def forward(self, x: Array, step: Step | None) -> Array:
        patches, output = self.buffer("patches", len(x)), self.buffer("output", len(x))
        kernel, bias = self.parameters["kernel"], self.parameters["bias"]
        self.backend.conv2d(x, kernel, bias, self.window, patches, output)
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        patches = self.buffer("patches", len(output_gradient))
        self.backend.conv2d_parameter_gradients(
            output_gradient, patches, self.gradients["kernel"], self.gradients["bias"]
        )
        if not self.needs_input_gradient:
            return None
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self.backend.conv2d_input_gradient(
            output_gradient, self.parameters["kernel"], self.window, patches, input_gradient
        )
        return input_gradient
