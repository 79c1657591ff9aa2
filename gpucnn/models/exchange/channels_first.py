"""A chain of layers in the making, out of operations as ONNX and PyTorch have them.

There the channels of an image come before its rows and columns, and a vector that was flattened
from such an image has its elements in that order: the weights that follow are brought to the order
of gpucnn, (rows, columns, channels).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.backends.window import Padding, Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
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
from gpucnn.models.exchange.imported import Imported
from gpucnn.models.exchange.sliding import NONE, Sides, Sliding
from gpucnn.models.network import kind_of
from gpucnn.utils.warn import warn

MOST_NUMBERS = 2**25
"""Of one image between two layers, whose places take four bytes each while a model is read."""

KEEP_SIGN = (
    AveragePooling2D,
    Cropping2D,
    Dropout,
    Flatten,
    MaxPool2D,
    Reshape,
    SpatialDropout2D,
    ZeroPadding2D,
)
"""Layers that make no negative number of others."""

Weights = Sequence[NDArray[Any]]


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Say of an error that it is that of an operation, such as "the node conv1 (Conv)"."""
    try:
        yield
    except InvalidValueError as error:
        raise InvalidValueError(f"{what}: {error}") from error


class Chain:
    """Layers, each of which takes the output of the one before it, with their weights.

    Where the operations come from, the tensor between two of them has a shape and an order of its
    own. The chain knows of each element of an image there which one of gpucnn's it is: operations
    that move elements, such as a transposition, change that alone, and no layer comes of it.

    Shapes are those of one image, without the batch axis, and so are axes: 0 is that after it.
    Methods raise an InvalidValueError, without the name of the operation, where no layer does what
    they ask for.

    Args:
        shape: of the input, where it comes from.
        channels_first: whether it is an image whose channels are the first axis, not the last one.
        keeps_names: whether layers have the names of `enter`; else those that their model gives.
    """

    def __init__(self, shape: Shape, *, channels_first: bool, keeps_names: bool = False) -> None:
        _check_size(shape)
        self._input_shape = (*shape[1:], shape[0]) if channels_first else tuple(shape)
        self._keeps_names = keeps_names
        self._name = ""
        self._names: set[str] = set()
        self._layers: list[Layer] = []
        self._weights: list[list[NDArray[Any]]] = []
        self._shape = self._input_shape
        self._places = _in_order(self._shape)
        if channels_first:
            self._places = np.moveaxis(self._places, -1, 0)

    @property
    def shape(self) -> Shape:
        """The shape of the last tensor, where it comes from."""
        return self._places.shape

    def enter(self, name: str) -> None:
        """Name the operation that the next layer comes of."""
        self._name = name

    def finish(self, name: str | None = None) -> Imported:
        """What the chain has become, a model that gives vectors.

        Raises:
            InvalidValueError: it gives the elements of an image in another order than gpucnn.
        """
        if not _is_in_order(self._places):
            raise InvalidValueError(
                "the model gives an image, channels first, but a model of gpucnn gives vectors, "
                "made in the order (rows, columns, channels): let it end in a dense layer or in "
                "pooling of whole images"
            )
        if len(self._shape) > 1:
            self.add(Flatten())
        return Imported(self._layers, self._weights, self._input_shape, name)

    # Layers

    def add(self, layer: Layer, weights: Weights = ()) -> None:
        """Append a layer, which leaves the elements where they are, or is followed by `_place`.

        Args:
            layer: not built.
            weights: of it, in the order of `Layer.get_weights`.
        """
        if self._layers and isinstance(self._layers[-1], Softmax):
            raise InvalidValueError(
                "it follows softmax, which a model of gpucnn has at its end alone: leave one out"
            )
        if self._keeps_names and self._name and self._name not in self._names:
            layer.name = self._name
            self._names.add(self._name)
        self._name = ""
        layer.name_in_model = kind_of(layer)  # for error messages
        layer.build(self._shape)
        self._check_weights(layer, weights)
        self._shape = layer.output_shape
        _check_size(self._shape)
        self._layers.append(layer)
        self._weights.append(list(weights))

    def _check_weights(self, layer: Layer, weights: Weights) -> None:
        shapes = [*layer.parameter_shapes().values(), *layer.state_shapes().values()]
        if [each.shape for each in weights] != shapes:
            raise InvalidValueError(
                f"it has weights of the shapes {[each.shape for each in weights]}, in the order of "
                f"gpucnn, but {shapes} are needed for its input: give another copy"
            )

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
        *_, channels = self._image()
        filters, of_group = kernel.shape[:2]
        if groups < 1 or filters % groups or of_group * groups != channels:
            raise InvalidValueError(
                f"its kernel has the shape {kernel.shape}, in {groups} groups, but its input "
                f"{channels} channels: give another copy"
            )
        options: dict[str, Any] = {
            "kernel_size": sliding.size,
            "strides": sliding.strides,
            "padding": self._pad(sliding),
            "dilation_rate": sliding.dilation,
            "use_bias": bias is not None,
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
        self._places = _in_order(self._shape)

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
        numbers = self._of_channels(factors)
        last = self._layers[-1] if self._layers else None
        if isinstance(last, Rescaling) and (last.scale, last.offset) == (1, 0):
            self._replace_last(Rescaling(numbers))
        else:
            self.add(Rescaling(numbers))

    def take_bytes(self) -> None:
        """Begin with a layer that makes numbers from 0 to 255 of pixels that are bytes."""
        self.add(Rescaling(1.0))

    def shift(self, offsets: NDArray[Any]) -> None:
        """Add numbers which meet the elements as in NumPy."""
        numbers = self._of_channels(offsets)
        last = self._layers[-1] if self._layers else None
        if isinstance(last, Rescaling) and last.offset == 0:
            self._replace_last(Rescaling(last.scale, numbers, name=last.given_name))
        elif isinstance(last, Affine) and not last.use_bias and last.output_shape == self._shape:
            layer = type(last)(**last.get_config() | {"use_bias": True})
            channels = self._shape[-1:]
            bias = np.broadcast_to(np.asarray(numbers, np.float32), channels)
            self._replace_last(layer, bias)
        else:
            self.add(Rescaling(1.0, numbers))

    def _replace_last(self, layer: Layer, *further: NDArray[Any]) -> None:
        weights = [*self._weights.pop(), *further]
        self._shape = self._layers.pop().input_shape
        self.add(layer, weights)

    def clip(self, most: float | None) -> bool:
        """Limit what ReLU gives; whether it can be: the last layer is one without a limit."""
        last = self._layers[-1] if self._layers else None
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
        self._places = _in_order(self._shape).reshape(shape if keeps_axes else [channels])

    # Elements in other places

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
        self._places = np.moveaxis(_in_order(self._shape), -1, channels)

    def _can_be_image(self, channels: int) -> bool:
        """Whether the last tensor is an image of gpucnn's with its channels in another place."""
        is_image = len(self.shape) == 3
        return is_image and _is_in_order(np.moveaxis(self._places, channels, -1))

    def reshape(self, shape: Sequence[int]) -> None:
        """Give the elements another shape, in the order in which they lie; a size may be -1."""
        size, known = self._places.size, prod(each for each in shape if each != -1)
        full = [size // known if each == -1 and known > 0 else each for each in shape]
        if min(full, default=1) < 1 or prod(full) != size:
            raise InvalidValueError(
                f"it makes the shape {tuple(shape)} of one of {self.shape}: give another copy"
            )
        self._places = self._places.reshape(full)
        if len(full) == 1 and len(self._shape) > 1:
            self.add(Flatten())
        elif len(full) > 1 and _is_in_order(self._places) and not self._is_image_already():
            self.add(Reshape(tuple(full)))

    def reshape_batch(self, images: int, shape: Sequence[int]) -> None:
        """Give a batch another shape.

        Args:
            images: how many there are in it.
            shape: with the axis of images, which stays the first one; a size may be -1.
        """
        first, *rest = shape
        if first == -1 and prod(rest) == self._places.size:
            first = images
        if first != images or not rest:
            raise InvalidValueError(
                f"it makes the shape {tuple(shape)}, whose first axis is not that of the {images} "
                "images: let it be"
            )
        self.reshape(rest)

    def _is_image_already(self) -> bool:
        """Whether the layers give the last tensor, or the same with its channels last."""
        return self._shape in (self.shape, (*self.shape[1:], self.shape[0]))

    def transpose(self, axes: Sequence[int]) -> None:
        """Permute the axes."""
        if sorted(axes) != list(range(len(self.shape))):
            raise InvalidValueError(f"it permutes the axes {tuple(axes)} of {self.shape}")
        self._places = self._places.transpose(axes)

    def take(self, indices: NDArray[Any], axis: int) -> None:
        """Permute the elements along an axis."""
        if indices.ndim != 1 or sorted(indices.tolist()) != list(range(self.shape[axis])):
            raise InvalidValueError(
                f"it takes some elements of axis {axis} of {self.shape}, but gpucnn's layers use "
                "all of them"
            )
        self._places = self._places.take(indices, axis)

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

    # The order of elements

    def _image(self) -> Shape:
        """See that the layers give the image, (rows, columns, channels), that comes here first."""
        if len(self.shape) != 3:
            raise InvalidValueError(
                "it takes images of the shape (channels, rows, columns), but its input has the "
                f"shape {self.shape}"
            )
        self._lie_as(np.moveaxis(self._places, 0, -1))
        return self._shape

    def _lie_as(self, places: NDArray[np.int32]) -> None:
        """See that the layers give elements in these places, in this shape."""
        if not _is_in_order(places):
            raise InvalidValueError(
                f"its input, of the shape {self.shape}, has its elements in an order in which "
                "gpucnn, whose images are (rows, columns, channels), cannot bring them: leave out "
                "the Transpose or Reshape before it"
            )
        if places.shape != self._shape:
            name, self._name = self._name, ""  # which is that of the layer to follow
            self.add(Reshape(places.shape))
            self._name = name

    def _place_image(self) -> None:
        """Note that the last layer gives an image whose channels come first where it comes from."""
        self._places = np.moveaxis(_in_order(self._shape), -1, 0)

    def _of_vector(self, values: NDArray[Any]) -> NDArray[Any]:
        """What belongs to the elements of a vector, in gpucnn's order."""
        if values.shape != self.shape:
            raise InvalidValueError(
                f"it has {values.size} numbers for an input of the shape {self.shape}: give "
                "another copy"
            )
        ordered = np.empty_like(values)
        ordered[self._places] = values
        return ordered

    def _of_channels(self, values: NDArray[Any]) -> float | list[float]:
        """Numbers that meet the elements as in NumPy: one, or one for each of gpucnn's channels."""
        if values.size == 1:
            return float(values.reshape(()))
        try:
            (met,) = np.broadcast_to(values, (1, *self.shape))
        except ValueError:
            raise InvalidValueError(
                f"it has numbers of the shape {values.shape} for an input of the shape "
                f"{self.shape}: give another copy"
            ) from None
        ordered = np.empty(self._places.size, values.dtype)
        ordered[self._places.ravel()] = met.ravel()
        rows = ordered.reshape(-1, self._shape[-1])
        if (rows != rows[0]).any():
            raise InvalidValueError(
                "it has a number for each pixel, but gpucnn scales and shifts by channels alone: "
                "do so to the images before"
            )
        return [float(each) for each in rows[0]]

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
            name, self._name = self._name, ""  # which is that of the layer to follow
            self.add(ZeroPadding2D(sides))
            self._name = name

    def _is_non_negative(self) -> bool:
        """Whether no number of the last tensor can be below 0."""
        changing = (each for each in reversed(self._layers) if type(each) not in KEEP_SIGN)
        return type(next(changing, None)) in (ReLU, Sigmoid)


def _each_side(sides: Sides, sign: int) -> Sides:
    """The numbers of one sign, 1 or -1, made positive, and 0 for the others."""
    (top, bottom), (left, right) = sides
    return (
        (max(sign * top, 0), max(sign * bottom, 0)),
        (max(sign * left, 0), max(sign * right, 0)),
    )


def _in_order(shape: Shape) -> NDArray[np.int32]:
    """The places of the elements of gpucnn's own tensors."""
    return np.arange(prod(shape), dtype=np.int32).reshape(shape)


def _is_in_order(places: NDArray[np.int32]) -> bool:
    return bool((places.ravel() == np.arange(places.size)).all())


def _check_size(shape: Shape) -> None:
    if min(shape, default=0) < 1 or prod(shape) > MOST_NUMBERS:
        raise InvalidValueError(
            f"an image has the shape {shape} there: it must have from 1 to {MOST_NUMBERS:,} numbers"
        )
