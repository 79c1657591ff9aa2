"""What convolution layers share: a window, and filters in groups that see groups of channels."""

from abc import abstractmethod
from math import prod

import numpy as np

from gpucnn.backends import Array, Backend, Shape, Window
from gpucnn.backends.window import PADDINGS, Padding, Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers.affine import Affine
from gpucnn.layers.base import Step
from gpucnn.layers.windowed.sliding import slide
from gpucnn.utils import arguments


class Convolution(Affine):
    """A layer whose outputs are weighted sums over a window of some channels, plus a bias.

    It maps (height, width, channels) to (rows, columns, filters).

    Attributes:
        kernel_size: (height, width) of the window, or one number for both.
        strides: of the window, (vertical, horizontal), or one number for both.
        padding: "valid" for windows within the image only, or "same" for zero padding to an output
            of ceil(size / strides).
        dilation_rate: how many pixels the elements of the window are apart, (vertical, horizontal),
            or one number for both; above 1 only with strides of 1.
    """

    kernel_size: int | Pair
    strides: int | Pair
    padding: Padding
    dilation_rate: int | Pair
    window: Window

    def _check_window(self) -> None:
        """Check the arguments of the window.

        Raises:
            InvalidValueError: one of them is not as described.
        """
        self._size = arguments.positive_pair(self.kernel_size, "kernel_size")
        self._strides = arguments.positive_pair(self.strides, "strides")
        vars(self)["padding"] = arguments.name_of(self.padding, "padding", PADDINGS)
        self._dilation = arguments.positive_pair(self.dilation_rate, "dilation_rate")
        if max(self._strides) > 1 and max(self._dilation) > 1:
            raise InvalidValueError(
                f"strides is {self.strides!r} and dilation_rate is {self.dilation_rate!r}: "
                "only one of them may be above 1"
            )

    @abstractmethod
    def _groups(self, channels: int) -> int:
        """The groups of images of so many channels.

        Raises:
            InvalidValueError: they cannot be split into groups.
        """

    @abstractmethod
    def _filters(self, channels: int) -> int:
        """The channels of the output, for images of so many channels."""

    def build(self, input_shape: Shape) -> None:
        self.window = slide(
            self.name, input_shape, self._size, self._strides, self.padding, self._dilation
        )
        channels = input_shape[2]
        self._group_channels = channels // self._groups(channels)
        self.input_shape = input_shape
        self.output_shape = (*self.window.output, self._filters(channels))

    def fans(self) -> tuple[int, int]:
        *window, inputs, outputs = self.kernel_shape()
        return prod(window) * inputs, prod(window) * outputs

    def multiply_adds(self) -> int:
        return prod(self.window.output) * prod(self.kernel_shape())

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: Array,
    ) -> None:
        super().place(backend, real, parameters, gradients, state)
        shape = *self.window.size, self._group_channels, self.output_shape[2]
        self._kernel, self._kernel_gradient = (
            each["kernel"].reshape(shape) for each in (parameters, gradients)
        )

    def forward(self, x: Array, step: Step | None) -> Array:
        self._input = x  # for the gradient of the kernel
        output = self.buffer("output", len(x))
        self.backend.grouped_conv2d(x, self._kernel, self.bias, self.window, output)
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        backend, window = self.backend, self.window
        with backend.branch():
            gradients = self._kernel_gradient, self.bias_gradient
            backend.grouped_conv2d_parameter_gradients(
                self._input, output_gradient, window, *gradients
            )
        input_gradient = self.input_gradient_buffer(len(output_gradient))
        if input_gradient is not None:
            backend.grouped_input_gradient(output_gradient, self._kernel, window, input_gradient)
        return input_gradient
