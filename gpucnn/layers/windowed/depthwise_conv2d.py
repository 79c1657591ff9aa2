"""The depthwise convolution layer."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from typing import ClassVar

from gpucnn.backends import Shape
from gpucnn.backends.window import Padding, Pair
from gpucnn.layers.base import Layer, Settable
from gpucnn.layers.windowed.convolution import Convolution
from gpucnn.regularizers import L2, regularizer_of
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class DepthwiseConv2D(Convolution):
    """2-D convolution of each channel by itself, with `depth_multiplier` filters for each.

    It maps (height, width, channels) to (rows, columns, channels * depth_multiplier), by a kernel
    (kernel height, kernel width, channels, depth_multiplier): output channel
    c * depth_multiplier + m is channel c seen by its filter m.

    Args:
        kernel_size: as for `Convolution`, like the two that follow.
        strides: of the window.
        padding: "valid" or "same".
        depth_multiplier: the filters of each channel.
        dilation_rate: how many pixels the elements of the window are apart.
        activation: as for `Affine`, like all that follow.
        use_bias: whether a bias is added.
        depthwise_initializer: how the kernel begins.
        depthwise_regularizer: its penalty, which is added to the loss.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    initializer_argument: ClassVar[str] = "depthwise_initializer"
    regularizer_argument: ClassVar[str] = "depthwise_regularizer"
    settable: ClassVar[Settable] = {"depthwise_regularizer": regularizer_of}

    kernel_size: int | Pair
    strides: int | Pair = 1
    padding: Padding = "valid"
    depth_multiplier: int = 1
    dilation_rate: int | Pair = 1
    activation: str | Layer | None = None
    use_bias: bool = True
    depthwise_initializer: str = "glorot_uniform"
    depthwise_regularizer: str | L2 | None = None
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._check_arguments(input_shape)
        self._check_window()
        arguments.positive_integer(self.depth_multiplier, "depth_multiplier")

    def _groups(self, channels: int) -> int:
        return channels

    def _filters(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def kernel_shape(self) -> Shape:
        return (*self.window.size, self.input_shape[2], self.depth_multiplier)
