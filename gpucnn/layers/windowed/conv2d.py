"""The convolution layer."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from math import prod

from gpucnn.backends import Array, Buffer, Shape
from gpucnn.backends.window import PADDINGS, Padding, Pair
from gpucnn.layers.affine import Affine
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.windowed.sliding import slide
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class Conv2D(Affine):
    """2-D convolution: each output is a weighted sum over a window of the input, plus a bias.

    It maps (height, width, channels) to (rows, columns, filters), by a kernel (kernel height,
    kernel width, channels, filters).

    Args:
        filters: the number of filters, which is that of the output's channels.
        kernel_size: (height, width) of the window, or one number for both.
        strides: of the window, (vertical, horizontal), or one number for both.
        padding: "valid" for windows within the image only, or "same" for zero padding to an output
            of ceil(size / strides).
        activation: as for `Affine`, like all that follow.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel begins.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    filters: int
    kernel_size: int | Pair
    strides: int | Pair = 1
    padding: Padding = "valid"
    activation: str | Layer | None = None
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._check_arguments(input_shape)
        arguments.positive_integer(self.filters, "filters")
        self._size = arguments.positive_pair(self.kernel_size, "kernel_size")
        self._strides = arguments.positive_pair(self.strides, "strides")
        arguments.one_of(self.padding, "padding", PADDINGS)

    def build(self, input_shape: Shape) -> None:
        self.window = slide(self.name, input_shape, self._size, self._strides, self.padding)
        self.input_shape = input_shape
        self.output_shape = (*self.window.output, self.filters)

    def kernel_shape(self) -> Shape:
        return (*self.window.size, self.input_shape[2], self.filters)

    def fans(self) -> tuple[int, int]:
        elements = self.window.elements
        return elements * self.input_shape[2], elements * self.filters

    def multiply_adds(self) -> int:
        return prod(self.window.output) * prod(self.kernel_shape())

    def inference_buffers(self) -> dict[str, Buffer]:
        patch = self.window.elements * self.input_shape[2]
        patches = Buffer((prod(self.window.output), patch), order="F")
        return super().inference_buffers() | {"patches": patches}

    def forward(self, x: Array, step: Step | None) -> Array:
        patches, output = self.buffer("patches", len(x)), self.buffer("output", len(x))
        kernel = self.parameters["kernel"]
        self.backend.conv2d(x, kernel, self.bias, self.window, patches, output)
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        patches = self.buffer("patches", len(output_gradient))
        self.backend.conv2d_parameter_gradients(
            output_gradient, patches, self.gradients["kernel"], self.bias_gradient
        )
        input_gradient = self.input_gradient_buffer(len(output_gradient))
        if input_gradient is not None:
            self.backend.conv2d_input_gradient(
                output_gradient, self.parameters["kernel"], self.window, patches, input_gradient
            )
        return input_gradient
