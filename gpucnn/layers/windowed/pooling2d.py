"""The pooling layers: of what is pooled, windows or whole images, and how, by maximum or mean."""

from dataclasses import dataclass

from gpucnn.backends import Array, Buffer, Shape, Window
from gpucnn.backends.window import PADDINGS, Padding, Pair
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.windowed.sliding import image_size, slide
from gpucnn.utils import arguments

# What is pooled


class _Pooling(Layer):
    """A layer with a window, whose positions are the rows and columns of what is pooled."""

    window: Window

    def _pooled(self, array: Array) -> Array:
        """View an array `(n, *output_shape)` as (n, rows, columns, channels)."""
        return array.reshape(len(array), *self.window.output, self.input_shape[2])


@dataclass(eq=False, repr=False)
class _OfWindows(_Pooling):
    """Maps (height, width, channels) to (rows, columns, channels)."""

    pool_size: int | Pair = 2
    strides: int | Pair | None = None
    padding: Padding = "valid"

    def __post_init__(self) -> None:
        self._size = arguments.positive_pair(self.pool_size, "pool_size")
        strides = self._size if self.strides is None else self.strides
        self._strides = arguments.positive_pair(strides, "strides")
        vars(self)["padding"] = arguments.name_of(self.padding, "padding", PADDINGS)

    def build(self, input_shape: Shape) -> None:
        self.window = slide(self.name, input_shape, self._size, self._strides, self.padding)
        self.input_shape = input_shape
        self.output_shape = (*self.window.output, input_shape[2])


class _OfImages(_Pooling):
    """Maps (height, width, channels) to (channels,): its window is as large as an image."""

    def build(self, input_shape: Shape) -> None:
        size = image_size(self.name, input_shape)
        self.window = Window(size, size, (1, 1), "valid")
        self.input_shape = input_shape
        self.output_shape = (input_shape[2],)


# How


class _Maximum(_Pooling):
    """Pools by the maximum, and remembers which pixel that was."""

    def inference_buffers(self) -> dict[str, Buffer]:
        argmax = Buffer((*self.window.output, self.input_shape[2]), "int32")
        return super().inference_buffers() | {"argmax": argmax}

    def forward(self, x: Array, step: Step | None) -> Array:
        output, argmax = self.buffer("output", len(x)), self.buffer("argmax", len(x))
        self.backend.max_pool(x, self.window, self._pooled(output), argmax)
        return output

    def backward(self, output_gradient: Array) -> Array:
        argmax = self.buffer("argmax", len(output_gradient))
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        gradient = self._pooled(output_gradient)
        self.backend.max_pool_gradient(gradient, self.window, argmax, input_gradient)
        return input_gradient


class _Average(_Pooling):
    """Pools by the mean of the pixels inside the image."""

    def forward(self, x: Array, step: Step | None) -> Array:
        output = self.buffer("output", len(x))
        self.backend.average_pool(x, self.window, self._pooled(output))
        return output

    def backward(self, output_gradient: Array) -> Array:
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        gradient = self._pooled(output_gradient)
        self.backend.average_pool_gradient(gradient, self.window, input_gradient)
        return input_gradient


# The layers


@dataclass(eq=False, repr=False)
class MaxPool2D(_OfWindows, _Maximum):
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


@dataclass(eq=False, repr=False)
class AveragePooling2D(_OfWindows, _Average):
    """The mean of each window of the input, channel by channel.

    It maps (height, width, channels) to (rows, columns, channels).

    Args:
        pool_size: as for `MaxPool2D`, like all that follow.
        strides: of the window.
        padding: "valid" or "same"; the mean is that of the pixels inside the image.

    Raises:
        InvalidValueError: an argument is not as described.
    """


@dataclass(eq=False, repr=False)
class GlobalMaxPooling2D(_OfImages, _Maximum):
    """The maximum of each channel of an image: it maps (height, width, channels) to (channels,).

    The gradient goes to the maximum, the first in row-major order among equals.
    """


@dataclass(eq=False, repr=False)
class GlobalAveragePooling2D(_OfImages, _Average):
    """The mean of each channel of an image: it maps (height, width, channels) to (channels,)."""
