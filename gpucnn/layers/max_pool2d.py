"""The max-pooling layer."""

from dataclasses import dataclass

from gpucnn.backends import Array, Buffer, Shape
from gpucnn.backends.window import PADDINGS, Padding, Pair
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.sliding import slide
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class MaxPool2D(Layer):
    """The maximum of each window of the input, channel by channel.

    It maps (height, width, channels) to (rows, columns, channels). The gradient of each output goes
    to the maximum, the first in row-major order among equals.

    Args:
        pool_size: (height, width) of the window, or one number for both.
        strides: of the window, (vertical, horizontal), or one number for both; None for
            `pool_size`.
        padding: "valid" for windows within the image only, or "same" for an output of
            ceil(size / strides); padding is never the maximum.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    pool_size: int | Pair = 2
    strides: int | Pair | None = None
    padding: Padding = "valid"

    def __post_init__(self) -> None:
        self._size = arguments.positive_pair(self.pool_size, "pool_size")
        strides = self._size if self.strides is None else self.strides
        self._strides = arguments.positive_pair(strides, "strides")
        arguments.one_of(self.padding, "padding", PADDINGS)

    def build(self, input_shape: Shape) -> None:
        self.window = slide(self.name, input_shape, self._size, self._strides, self.padding)
        self.input_shape = input_shape
        self.output_shape = (*self.window.output, input_shape[2])

    def inference_buffers(self) -> dict[str, Buffer]:
        return super().inference_buffers() | {"argmax": Buffer(self.output_shape, "int32")}

    def forward(self, x: Array, step: Step | None) -> Array:
        output, argmax = self.buffer("output", len(x)), self.buffer("argmax", len(x))
        self.backend.max_pool(x, self.window, output, argmax)
        return output

    def backward(self, output_gradient: Array) -> Array:
        argmax = self.buffer("argmax", len(output_gradient))
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self.backend.max_pool_gradient(output_gradient, self.window, argmax, input_gradient)
        return input_gradient
