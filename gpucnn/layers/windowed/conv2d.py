"""The convolution layer."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from math import prod

from gpucnn.backends import Array, Buffer, Shape
from gpucnn.backends.window import Padding, Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.windowed.convolution import Convolution
from gpucnn.regularizers import L2
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class Conv2D(Convolution):
    """2-D convolution: each output is a weighted sum over a window of the input, plus a bias.

    It maps (height, width, channels) to (rows, columns, filters), by a kernel (kernel height,
    kernel width, channels / groups, filters).

    Args:
        filters: the number of filters, which is that of the output's channels.
        kernel_size: as for `Convolution`, like the three that follow.
        strides: of the window.
        padding: "valid" or "same".
        dilation_rate: how many pixels the elements of the window are apart.
        groups: into how many groups channels and filters are split, in order: the filters of a
            group see its channels alone.
        activation: as for `Affine`, like all that follow.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel begins.
        kernel_regularizer: its penalty, which is added to the loss.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    filters: int
    kernel_size: int | Pair
    strides: int | Pair = 1
    padding: Padding = "valid"
    dilation_rate: int | Pair = 1
    groups: int = 1
    activation: str | Layer | None = None
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"
    kernel_regularizer: str | L2 | None = None
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._check_arguments(input_shape)
        arguments.positive_integer(self.filters, "filters")
        self._check_window()
        arguments.positive_integer(self.groups, "groups")
        if self.filters % self.groups:
            raise InvalidValueError(
                f"filters is {self.filters} and groups is {self.groups}: "
                "filters must be a multiple of groups"
            )

    def _groups(self, channels: int) -> int:
        if channels % self.groups:
            raise InvalidValueError(
                f"{self.name} splits its input into {self.groups} groups, but that has "
                f"{channels} channels: give groups that divides the number of channels"
            )
        return self.groups

    def _filters(self, channels: int) -> int:
        return self.filters

    def kernel_shape(self) -> Shape:
        return (*self.window.size, self._group_channels, self.filters)

    # All channels in one group: by patches, which the gradient of the kernel reads again.

    def inference_buffers(self) -> dict[str, Buffer]:
        buffers = super().inference_buffers()
        if self.groups > 1:
            return buffers
        patch = self.window.elements * self.input_shape[2]
        patches = Buffer((prod(self.window.output), patch), order="F")
        return buffers | {"patches": patches}

    def forward(self, x: Array, step: Step | None) -> Array:
        if self.groups > 1:
            return super().forward(x, step)
        patches, output = self.buffer("patches", len(x)), self.buffer("output", len(x))
        kernel = self.parameters["kernel"]
        self.backend.conv2d(x, kernel, self.bias, self.window, patches, output)
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        if self.groups > 1:
            return super().backward(output_gradient)
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
