"""Layers that scale pixels, channel by channel."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, Shape
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.layers.base import Layer, Step
from gpucnn.utils import arguments

Numbers = float | Sequence[float]
"""A number, or one for each channel."""

EPSILON = 1e-7
"""The least standard deviation that is divided by, Keras's."""

AT_ONCE = 256
"""Images whose squares are summed at once, so that few are held in memory as float64."""


class Scaling(Layer):
    """A layer that multiplies each channel by a scale, and adds an offset.

    Attributes:
        scales: of the channels; set by `build`, like `offsets`.
        offsets: likewise.
    """

    scales: tuple[float, ...]
    offsets: tuple[float, ...]

    def build(self, input_shape: Shape) -> None:
        self.input_shape = self.output_shape = input_shape
        self.scales, self.offsets = self._scale_and_offset(input_shape[-1])

    @abstractmethod
    def _scale_and_offset(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The scale and the offset of each channel.

        Raises:
            InvalidValueError: they are not known, or of another number of channels.
        """

    def _of_channels(self, numbers: Numbers, name: str, channels: int) -> tuple[float, ...]:
        """The argument `name` for each channel: `numbers`, or the one that they all have."""
        if isinstance(numbers, float):
            return (numbers,) * channels
        if len(numbers) != channels:
            raise InvalidValueError(
                f"{name} of {self.name} has {len(numbers)} numbers, but its input has the shape "
                f"{self.input_shape}: give one number, or {channels}"
            )
        return tuple(numbers)

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: Array,
    ) -> None:
        super().place(backend, real, parameters, gradients, state)
        self._scale_array = backend.asarray(np.array(self.scales), real)
        shifts = any(self.offsets)
        self._offset_array = backend.asarray(np.array(self.offsets), real) if shifts else None

    def forward(self, x: Array, step: Step | None) -> Array:
        output = self.buffer("output", len(x))
        self.backend.scale_shift(x, self._scale_array, self._offset_array, output)
        return output

    def backward(self, output_gradient: Array) -> Array:
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self.backend.scale_shift(output_gradient, self._scale_array, None, input_gradient)
        return input_gradient


@dataclass(eq=False, repr=False)
class Rescaling(Scaling):
    """Multiplies by a scale and adds an offset.

    A model with it before its parameters takes pixels of uint8 as 0 to 255, see
    `takes_bytes_as_they_are`.

    Args:
        scale: a number, or one for each channel.
        offset: likewise.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    scale: Numbers
    offset: Numbers = 0.0
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        scale, offset = self.scale, self.offset
        vars(self)["scale"] = arguments.numbers(scale, "scale")
        vars(self)["offset"] = arguments.numbers(offset, "offset")

    def _scale_and_offset(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        scale = self._of_channels(self.scale, "scale", channels)
        return scale, self._of_channels(self.offset, "offset", channels)


@dataclass(eq=False, repr=False)
class Normalization(Scaling):
    """Subtracts a mean and divides by a standard deviation, those of images it was adapted to.

    They are computed by `adapt`, or given. A model with it before its parameters takes pixels of
    uint8 as 0 to 255, see `takes_bytes_as_they_are`. In the layer, (x - mean) / deviation is
    computed as x * (1 / deviation) + (-mean / deviation).

    Args:
        axis: that of the channels, the last one, of which each has a mean and a variance; or None
            for those of all numbers together.
        mean: a number, or one for each channel; None for what `adapt` computes.
        variance: likewise; neither or both are given.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    axis: int | None = -1
    mean: Numbers | None = None
    variance: Numbers | None = None
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        if (self.mean is None) != (self.variance is None):
            raise InvalidValueError("mean and variance are not both given: give both, or neither")
        if self.mean is not None:
            self._set(self.mean, self.variance)

    def adapt(self, data: NDArray[Any]) -> None:
        """Compute the mean and the variance of images; call it before the layer is in a model.

        Args:
            data: uint8 (0 to 255) or floating point (n, ..., c).

        Raises:
            InvalidTypeError: the numbers are neither uint8 nor floating-point.
            InvalidValueError: there is no image, a number is not finite, or the layer is in a
                model.
        """
        if self.is_placed:
            raise InvalidValueError(
                f"{self.name} is in a model that is built: adapt a layer before its model is used"
            )
        images = np.asarray(data)
        if images.dtype != np.uint8 and images.dtype.kind != "f":
            raise InvalidTypeError(
                f"the data are of dtype {images.dtype}: give uint8 or floating-point numbers"
            )
        if images.ndim < 2 or images.size == 0:
            raise InvalidValueError(
                f"the data have the shape {images.shape}: give images, or vectors, at least one"
            )
        self._check_axis("adapt", images.shape[1:])
        if self.axis is None:
            images = images.reshape(len(images), -1, 1)
        mean, variance = _moments(images)
        if not np.isfinite(variance).all():
            raise InvalidValueError("the data have a number that is NaN or infinite: leave it out")
        if self.axis is None:
            self._set(mean[0], variance[0])
        else:
            self._set(mean, variance)

    def build(self, input_shape: Shape) -> None:
        self._check_axis(self.name, input_shape)
        super().build(input_shape)

    def _check_axis(self, where: str, shape: Shape) -> None:
        if self.axis not in (None, -1, len(shape)):
            raise InvalidValueError(
                f"{where} normalises the channels, the last axis, or all numbers together: give "
                f"axis -1 or {len(shape)}, or None, and not {self.axis!r}"
            )

    def _set(self, mean: Any, variance: Any) -> None:
        vars(self)["mean"] = arguments.numbers(mean, "mean")
        vars(self)["variance"] = checked = arguments.numbers(variance, "variance")
        if np.min(checked) < 0:
            raise InvalidValueError(f"variance is {variance!r}: it must be at least 0")

    def _scale_and_offset(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if self.mean is None or self.variance is None:
            raise InvalidValueError(
                f"{self.name} has no mean and no variance: call its adapt(images) before the model "
                "is used, or give them"
            )
        mean = self._of_channels(self.mean, "mean", channels)
        variance = self._of_channels(self.variance, "variance", channels)
        scale = tuple(1 / max(sqrt(each), EPSILON) for each in variance)
        return scale, tuple(-m * s for m, s in zip(mean, scale, strict=True))


def _moments(images: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and the variance of each channel of images (n, ..., c), in float64."""
    axes = tuple(range(images.ndim - 1))
    with np.errstate(over="ignore", invalid="ignore"):  # of what is not finite
        mean = images.mean(axes, dtype=np.float64)
        squares = np.zeros_like(mean)
        for start in range(0, len(images), AT_ONCE):
            squares += ((images[start : start + AT_ONCE] - mean) ** 2).sum(axes)
    return mean, squares * (images.shape[-1] / images.size)


def takes_bytes_as_they_are(layers: Sequence[Layer]) -> bool:
    """Whether pixels of uint8 are 0 to 255 for a model, not normalised, as in Keras.

    So they are if there is a `Rescaling` or `Normalization` before which no layer has parameters.

    Args:
        layers: of the model; they are built.
    """
    return any(isinstance(layer, Scaling) and not layer.follows_parameters for layer in layers)
