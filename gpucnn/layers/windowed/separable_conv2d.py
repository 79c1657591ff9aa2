"""The depthwise separable convolution layer."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from typing import ClassVar

from gpucnn.backends import Array, Shape
from gpucnn.backends.window import Padding, Pair
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.initializers import initializer_of
from gpucnn.layers.windowed.conv2d import Conv2D
from gpucnn.layers.windowed.depthwise_conv2d import DepthwiseConv2D
from gpucnn.regularizers import L2, regularizer_of


@dataclass(eq=False, repr=False)
class SeparableConv2D(Layer):
    """A depthwise convolution, and a pointwise one, of 1x1 windows, that mixes its channels.

    It maps (height, width, channels) to (rows, columns, filters). The two run as layers of their
    own, as if they stood in the model: a `DepthwiseConv2D` without bias and activation, and a
    `Conv2D`.

    Args:
        filters: the number of filters of the pointwise convolution.
        kernel_size: of the depthwise convolution, as for `Convolution`, like the two that follow.
        strides: of the window.
        padding: "valid" or "same".
        dilation_rate: how many pixels the elements of the window are apart.
        depth_multiplier: the filters of each channel in the depthwise convolution.
        activation: of the outputs, as for `Affine`.
        use_bias: whether the pointwise convolution adds a bias.
        depthwise_initializer: how the kernel of the depthwise convolution begins.
        pointwise_initializer: how that of the pointwise convolution begins.
        depthwise_regularizer: the penalty of the kernel of the depthwise convolution.
        pointwise_regularizer: that of the pointwise convolution.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.

    Attributes:
        depthwise: the first of the two.
        pointwise: the second.
    """

    has_parameters: ClassVar[bool] = True

    filters: int
    kernel_size: int | Pair
    strides: int | Pair = 1
    padding: Padding = "valid"
    dilation_rate: int | Pair = 1
    depth_multiplier: int = 1
    activation: str | Layer | None = None
    use_bias: bool = True
    depthwise_initializer: str = "glorot_uniform"
    pointwise_initializer: str = "glorot_uniform"
    depthwise_regularizer: str | L2 | None = None
    pointwise_regularizer: str | L2 | None = None
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        initializer_of(self.pointwise_initializer, "pointwise_initializer")
        regularizer_of(self.pointwise_regularizer, "pointwise_regularizer")
        self.depthwise = DepthwiseConv2D(
            self.kernel_size,
            self.strides,
            self.padding,
            self.depth_multiplier,
            self.dilation_rate,
            use_bias=False,
            depthwise_initializer=self.depthwise_initializer,
            depthwise_regularizer=self.depthwise_regularizer,
        )
        self.pointwise = Conv2D(
            self.filters,
            1,
            activation=self.activation,
            use_bias=self.use_bias,
            kernel_initializer=self.pointwise_initializer,
            kernel_regularizer=self.pointwise_regularizer,
        )
        name = self.given_name or "separableconv2d"
        self.depthwise.kind, self.pointwise.kind = f"{name}_depthwise", f"{name}_pointwise"

    def unrolled(self) -> tuple[Layer, ...]:
        return (self.depthwise, *self.pointwise.unrolled())

    def build(self, input_shape: Shape) -> None:
        self.input_shape = shape = input_shape
        for layer in self.unrolled():
            layer.build(shape)
            shape = layer.output_shape
        self.output_shape = shape

    def forward(self, x: Array, step: Step | None) -> Array:
        for layer in self.unrolled():
            x = layer.forward(x, step)
        return x

    def backward(self, output_gradient: Array) -> Array | None:
        gradient: Array | None = output_gradient
        for layer in reversed(self.unrolled()):
            assert gradient is not None  # of the pointwise convolution, which is not the first
            gradient = layer.backward(gradient)
        return gradient
