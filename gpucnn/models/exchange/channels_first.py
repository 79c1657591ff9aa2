"""A model in the making, out of operations as ONNX and PyTorch have them.

There the channels of an image come before its rows and columns, and a vector that was flattened
from such an image has its elements in that order: the weights that follow are brought to the order
of gpucnn, (rows, columns, channels).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends.window import Padding, Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers import (
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPool2D,
    ReLU,
    Rescaling,
    Reshape,
    Sigmoid,
    Softmax,
    SpatialDropout2D,
    ZeroPadding2D,
)
from gpucnn.layers.affine import Affine
from gpucnn.models.exchange.draft import Draft, in_order, is_in_order
from gpucnn.models.exchange.sliding import NONE, Sides, Sliding
from gpucnn.models.graph import IMAGES
from gpucnn.utils.warn import warn

KEEP_SIGN = (
    Add,
    AveragePooling2D,
    Concatenate,
    Cropping2D,
    Dropout,
    Flatten,
    MaxPool2D,
    Reshape,
    SpatialDropout2D,
    ZeroPadding2D,
)
"""Layers that make no negative number of others."""


class ChannelsFirst(Draft):
    """A draft of operations of ONNX and PyTorch, whose images have their channels first."""

    # With weights

    def convolve(
        self, kernel: NDArray[Any], bias: NDArray[Any] | None, sliding: Sliding, groups: int = 1
    ) -> None:
        """Convolve an image.

        Args:
            kernel: (filters, channels of a group, height, width).
            bias: (filters,), or None.
            sliding: the window, of that size.
            groups: of channels and filters.
        """
        rows, columns, channels = self._image()
        filters, of_group = kernel.shape[:2]
        if groups < 1 or filters % groups or of_group * groups != channels:
            raise InvalidValueError(
                f"its kernel takes {of_group * groups} channels, but its input of the shape "
                f"(channels, rows, columns) is {(channels, rows, columns)}: give another copy, or "
                "an input_shape with the channels first"
            )
        steps = {"strides": sliding.strides, "dilation_rate": sliding.dilation}
        options: dict[str, Any] = {
            "kernel_size": sliding.size,
            "padding": self._pad(sliding),
            "use_bias": bias is not None,
            **{name: pair for name, pair in steps.items() if pair != (1, 1)},
        }
        biases = [] if bias is None else [bias]
        if of_group == 1 and groups > 1:
            multiplier = filters // groups
            by_channel = kernel.reshape(channels, multiplier, *sliding.size).transpose(2, 3, 0, 1)
            self.add(DepthwiseConv2D(depth_multiplier=multiplier, **options), [by_channel, *biases])
        else:
            layer = Conv2D(filters, groups=groups, **options)
            self.add(layer, [kernel.transpose(2, 3, 1, 0), *biases])
        self._place_image()

    def multiply(self, kernel: NDArray[Any], bias: NDArray[Any] | None) -> None:
        """Multiply a vector by a matrix.

        Args:
            kernel: (inputs, outputs), with a row for each element of the vector.
            bias: (outputs,), or None.
        """
        if kernel.ndim != 2 or self.shape != kernel.shape[:1]:
            raise InvalidValueError(
                f"it multiplies by a matrix of the shape {kernel.shape}, but its input has the "
                f"shape {self.shape}: flatten that, or give a matrix of as many rows"
            )
        rows = np.empty_like(kernel)
        rows[self._places] = kernel
        biases = [] if bias is None else [bias]
        self.add(Dense(kernel.shape[1], use_bias=bias is not None), [rows, *biases])
        self._places = in_order(self._shape)

    def normalize(self, *weights: NDArray[Any], epsilon: float, momentum: float) -> None:
        """Normalise each channel, those of a vector being its elements.

        Args:
            weights: gamma, beta, and the moving mean and variance, each (channels,).
            epsilon: added to the variance.
            momentum: the share of the moving averages that a training step keeps.
        """
        if len(self.shape) > 1:
            self._lie_as(np.moveaxis(self._places, 0, -1))
            ordered = list(weights)
        else:
            ordered = [self._of_vector(each) for each in weights]
        self.add(BatchNormalization(momentum=momentum, epsilon=epsilon), ordered)

    def scale(self, factors: NDArray[Any]) -> None:
        """Multiply by numbers which meet the elements as in NumPy."""
        numbers, last = self._of_channels(factors), self._last_scaling()
        if last is None:
            self.add(_rescaling(numbers, np.array(0.0)))
        else:
            self._replace_last(_rescaling(last.scale * numbers, last.offset * numbers, last))

    def shift(self, offsets: NDArray[Any]) -> None:
        """Add numbers which meet the elements as in NumPy."""
        numbers, scaling, last = self._of_channels(offsets), self._last_scaling(), self._last
        if scaling is not None:
            self._replace_last(_rescaling(scaling.scale, scaling.offset + numbers, scaling))
        elif isinstance(last, Affine) and not last.use_bias:
            bias = np.broadcast_to(numbers.astype(np.float32), self._shape[-1:])
            self._replace_last(type(last)(**last.get_config() | {"use_bias": True}), bias)
        else:
            self.add(_rescaling(np.array(1.0), numbers))

    def take_bytes(self) -> None:
        """Begin with a layer that makes numbers from 0 to 255 of pixels that are bytes."""
        self.add(_rescaling(np.array(1.0), np.array(0.0)))

    def _last_scaling(self) -> "_Scaling | None":
        """What the last layer scales and shifts by, if it does so and has the operation's name."""
        last = self._last
        if not isinstance(last, Rescaling) or (last.given_name or "") != self._name:
            return None
        return _Scaling(np.asarray(last.scale), np.asarray(last.offset), last.given_name)

    def clip(self, most: float | None) -> bool:
        """Limit what ReLU gives; whether it can be: the last layer is one without a limit."""
        last = self._last
        if not isinstance(last, ReLU) or last.max_value is not None:
            return False
        self._replace_last(ReLU(most, name=last.given_name))
        return True

    # Pooling

    def image_size(self) -> Pair:
        """The (height, width) of the image that comes here."""
        rows, columns, _ = self._image()
        return rows, columns

    def pool_maxima(self, sliding: Sliding) -> None:
        """Take the maximum of each window of an image, in which padding is below all numbers."""
        if self._repeated is not None and sliding.sees_edges(self._repeated):
            sliding, self._repeated = replace(sliding, padding=self._repeated), None
        padding = self._over(sliding)
        if not isinstance(padding, str):
            if not self._is_non_negative():
                raise InvalidValueError(
                    f"it takes maxima with the padding {padding}, which gpucnn has after ReLU or "
                    'sigmoid, or where it is that of padding="same": train a model with that'
                )
            self._surround(padding)
            padding = "valid"
        self.add(MaxPool2D(sliding.size, sliding.strides, padding))
        self._place_image()

    def pool_means(self, sliding: Sliding, *, counts_padding: bool) -> None:
        """Take the mean of each window of an image.

        Args:
            sliding: the window.
            counts_padding: whether padding is so many zeros, or left out.
        """
        padding = self._over(sliding)
        if counts_padding and sliding.padding != NONE:
            if sliding.stands_out(self.image_size()):
                raise InvalidValueError(
                    "it takes means that count padding, over windows that stand out beyond it, "
                    "since their number is rounded up: train a model that rounds down"
                )
            self._surround(sliding.padding)
            padding = "valid"
        elif not isinstance(padding, str):
            raise InvalidValueError(
                f"it takes means with the padding {padding}, which do not count it, as gpucnn has "
                'them with padding="same" alone: train a model with that'
            )
        self.add(AveragePooling2D(sliding.size, sliding.strides, padding))
        self._place_image()

    def pool_images(self, axes: Sequence[int], *, maxima: bool, keeps_axes: bool = True) -> None:
        """Take the maximum or the mean of each channel of an image.

        Args:
            axes: over which it is taken: all but that of the channels.
            maxima: whether it is the maximum.
            keeps_axes: whether the axes stay, with one element each.
        """
        kept = [axis for axis in range(len(self.shape)) if axis not in axes]
        if len(kept) != 1 or len(self.shape) == 1:
            raise InvalidValueError(
                f"it pools the axes {tuple(axes)} of images {self.shape}, but gpucnn pools the "
                "rows and the columns"
            )
        channels = self.shape[kept[0]]
        places = np.moveaxis(self._places, kept[0], -1)
        if len(self._shape) == 3 and self._shape[-1] == channels:
            places = places.reshape(self._shape)
        elif places.ndim == 2:
            places = places.reshape(-1, 1, channels)
        self._lie_as(places)
        self.add(GlobalMaxPooling2D() if maxima else GlobalAveragePooling2D())
        shape = [channels if axis in kept else 1 for axis in range(len(self.shape))]
        self._places = in_order(self._shape).reshape(shape if keeps_axes else [channels])

    # Frames

    def frame(self, sides: Sequence[Pair]) -> None:
        """Put zeros around an image, or cut rows and columns off.

        Args:
            sides: for each axis what is put before and after it; negative for what is cut off.
        """
        free = [axis for axis, pair in enumerate(sides) if pair == (0, 0)]
        channels = next((axis for axis in free if self._can_be_image(axis)), None)
        if channels is None:
            raise InvalidValueError(
                f"it pads or cuts {tuple(sides)} of {self.shape}, but gpucnn the rows and columns "
                "of images alone"
            )
        self._lie_as(np.moveaxis(self._places, channels, -1))
        rows, columns = (pair for axis, pair in enumerate(sides) if axis != channels)
        added, cut = (_each_side((rows, columns), sign) for sign in (1, -1))
        if added != NONE:
            self.add(ZeroPadding2D(added))
        if cut != NONE:
            self.add(Cropping2D(cut))
        self._places = np.moveaxis(in_order(self._shape), -1, channels)

    def repeat_edges(self, sides: Sides) -> None:
        """Put the pixels at the edges of an image around it, before maxima are taken.

        That changes no maximum, since a window that sees a pixel beyond an edge sees that of the
        edge too: it is what Keras pads by on PyTorch.
        """
        self._image()
        self._repeated = sides

    def _can_be_image(self, channels: int) -> bool:
        """Whether the last tensor is an image of gpucnn's with its channels in another place."""
        is_image = len(self.shape) == 3
        return is_image and is_in_order(np.moveaxis(self._places, channels, -1))

    def end_in_softmax(self, axis: int, *, of_logarithms: bool = False) -> None:
        """Take the softmax along an axis, which has all elements.

        Args:
            axis: which.
            of_logarithms: whether its logarithms are taken, which are left out.

        Warns:
            GpucnnWarning: they are.
        """
        if self.shape[axis] != self._places.size:
            raise InvalidValueError(
                f"it takes the softmax along an axis of {self.shape}, but gpucnn takes that of all "
                "outputs: give a model that ends in vectors"
            )
        if of_logarithms:
            warn(
                "the model ends in the logarithms of probabilities (log-softmax): predict gives "
                "the probabilities themselves"
            )
        self._name = ""  # it is no layer of gpucnn's that a file names
        self.add(Softmax())

    # Padding

    def _over(self, sliding: Sliding) -> Padding | Sides:
        """How pooling slides over the image that comes here."""
        if sliding.dilation != (1, 1):
            raise InvalidValueError(
                f"it pools pixels that are {sliding.dilation} apart, but gpucnn all of a window"
            )
        return sliding.over(self.image_size())

    def _pad(self, sliding: Sliding) -> Padding:
        """The padding of a layer, after a layer that pads if it has no such itself."""
        padding = sliding.over(self.image_size())
        if isinstance(padding, str):
            return padding
        self._surround(padding)
        return "valid"

    def _surround(self, sides: Sides) -> None:
        if sides != NONE:
            self._add_before(ZeroPadding2D(sides))

    def _is_non_negative(self) -> bool:
        """Whether no number of the last tensor can be below 0."""
        left = [self._number]
        while left:
            number = left.pop()
            kind = None if number == IMAGES else type(self._layers[number])
            if kind in KEEP_SIGN:
                left += self._inputs[number]
            elif kind not in (ReLU, Sigmoid):
                return False
        return True


class _Scaling(NamedTuple):
    """What a layer scales and shifts by, for all channels or each, and its name."""

    scale: NDArray[Any]
    offset: NDArray[Any]
    name: str | None


def _rescaling(
    scale: NDArray[Any], offset: NDArray[Any], named_as: _Scaling | None = None
) -> Rescaling:
    name = None if named_as is None else named_as.name
    return Rescaling(scale.tolist(), offset.tolist(), name=name)


def _each_side(sides: Sides, sign: int) -> Sides:
    """The numbers of one sign, 1 or -1, made positive, and 0 for the others."""
    (top, bottom), (left, right) = sides
    return (
        (max(sign * top, 0), max(sign * bottom, 0)),
        (max(sign * left, 0), max(sign * right, 0)),
    )
