"""Layers that turn, zoom and shear images at random in training."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import InitVar, dataclass

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, Shape
from gpucnn.backends.ops.images.resampling import PIXEL
from gpucnn.backends.ops.images.transforms import INTERPOLATIONS, MOST_MAPPED_SIDE
from gpucnn.backends.window import Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers.preprocessing.augmentation import ByTwoNumbers, Filling
from gpucnn.utils import arguments

CHOICES = 2**12
"""How many angles, or factors, are drawn from: evenly spaced, the lowest and the highest included.

A table of them is the same on every device, where sines would not be.
"""

Linear = NDArray[np.float64]
"""Linear maps, (`CHOICES`, 2, 2): of a row and a column of the result, to those of the image."""


class Transformation(ByTwoNumbers, Filling):
    """A layer that maps each image by an affine map, a sum of two that are drawn from tables."""

    interpolations = INTERPOLATIONS

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if max(self._size) > MOST_MAPPED_SIDE:
            raise InvalidValueError(
                f"{self.name} takes images of up to {MOST_MAPPED_SIDE:,} pixels a side, but its "
                f"input has the shape {input_shape}: scale the images down"
            )

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: Array,
    ) -> None:
        super().place(backend, real, parameters, gradients, state)
        self._maps = backend.asarray(_about(self._fixed(), self._linear()), np.int32)

    def _fixed(self) -> tuple[float, float]:
        """The row and the column of the place that stays where it is: the centre."""
        height, width = self._size
        return (height - 1) / 2, (width - 1) / 2

    @abstractmethod
    def _linear(self) -> tuple[Linear, Linear]:
        """The linear parts of the maps, which are added."""

    def _limits(self) -> tuple[Pair, Pair]:
        return (0, CHOICES), (CHOICES - 1, 2 * CHOICES - 1)

    def _vary(self, x: Array, drawn: Array, out: Array) -> None:
        filling = self.fill_mode, self.fill_value, self.interpolation
        self.backend.transform(x, drawn, self._maps, *filling, out)


@dataclass(eq=False, repr=False)
class RandomRotation(Transformation):
    """Turns each image about its centre by a random angle; in training only.

    Angles are drawn as `RandomTranslation` draws shifts, from 4,096 that are evenly spaced. The
    layer comes before all layers with parameters.

    Args:
        factor: (lowest, highest) angle as a share of a full turn, in [-1, 1]: positive for
            counterclockwise; or one number for both, its negative as the lowest.
        fill_mode: what stands beyond the edges of an image, see `RandomTranslation`.
        interpolation: "bilinear", the mean of the four pixels around a place, or "nearest", the
            nearest of them.
        fill_value: the number that stands beyond the edges in the fill mode "constant".
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    factor: float | tuple[float, float]
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    fill_value: float = 0.0
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        self._angles = arguments.factor(self.factor, "factor")
        self._check_filling()

    def _linear(self) -> tuple[Linear, Linear]:
        angles = 2 * np.pi * np.linspace(*self._angles, CHOICES)
        turned = np.array([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]])
        return turned.transpose(2, 0, 1), _nothing()


@dataclass(eq=False, repr=False)
class RandomZoom(Transformation):
    """Zooms each image about its centre by random factors of its height and width; in training.

    Factors are drawn as `RandomTranslation` draws shifts, from 4,096 that are evenly spaced. The
    layer comes before all layers with parameters.

    Args:
        height_factor: (lowest, highest) share of the height, in [-1, 1], by which more of it is
            seen: 0.2 zooms out, so that 1.2 heights are seen, and -0.2 zooms in; or one number for
            both, its negative as the lowest.
        width_factor: likewise of the width; None for that of the height, so that what is seen keeps
            its shape.
        fill_mode: what stands beyond the edges of an image, see `RandomTranslation`.
        interpolation: see `RandomRotation`.
        fill_value: the number that stands beyond the edges in the fill mode "constant".
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    height_factor: float | tuple[float, float]
    width_factor: float | tuple[float, float] | None = None
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    fill_value: float = 0.0
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        self._height = arguments.factor(self.height_factor, "height_factor")
        self._width = arguments.optional(arguments.factor, self.width_factor, "width_factor")
        self._check_filling()

    def _linear(self) -> tuple[Linear, Linear]:
        rows, columns = _nothing(), _nothing()
        rows[:, 0, 0] = 1 + np.linspace(*self._height, CHOICES)
        if self._width is None:
            rows[:, 1, 1] = rows[:, 0, 0]
        else:
            columns[:, 1, 1] = 1 + np.linspace(*self._width, CHOICES)
        return rows, columns


@dataclass(eq=False, repr=False)
class RandomShear(Transformation):
    """Shears each image by random factors, to either side; in training only.

    Factors are drawn as `RandomTranslation` draws shifts, from 4,096 that are evenly spaced. The
    upper left pixel stays where it is, as in Keras. The layer comes before all layers with
    parameters.

    Args:
        x_factor: (lowest, highest) share of a pixel, in [0, 1], by which a row is moved along from
            the row above, to the left or to the right; or one number for the highest, the lowest
            being 0.
        y_factor: likewise by which a column is moved up or down from the one to the left.
        interpolation: see `RandomRotation`.
        fill_mode: what stands beyond the edges of an image, see `RandomTranslation`.
        fill_value: the number that stands beyond the edges in the fill mode "constant".
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    x_factor: float | tuple[float, float] = 0.0
    y_factor: float | tuple[float, float] = 0.0
    interpolation: str = "bilinear"
    fill_mode: str = "reflect"
    fill_value: float = 0.0
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        self._x = arguments.shares(self.x_factor, "x_factor")
        self._y = arguments.shares(self.y_factor, "y_factor")
        self._check_filling()

    def _linear(self) -> tuple[Linear, Linear]:
        first, second = _nothing(), _nothing()
        first[:, 0, 0] = first[:, 1, 1] = 1
        first[:, 1, 0], second[:, 0, 1] = _to_either_side(self._x), _to_either_side(self._y)
        return first, second

    def _fixed(self) -> tuple[float, float]:
        return 0.0, 0.0


def _nothing() -> Linear:
    """The maps that add nothing."""
    return np.zeros((CHOICES, 2, 2))


def _to_either_side(factors: tuple[float, float]) -> NDArray[np.float64]:
    """Factors from the lowest to the highest, and their negatives."""
    positive = np.linspace(*factors, CHOICES // 2)
    return np.concatenate([-positive[::-1], positive])


def _about(fixed: tuple[float, float], tables: tuple[Linear, Linear]) -> NDArray[np.int64]:
    """Affine maps, the first table's, then the second's, as `Backend.transform` takes them.

    Args:
        fixed: the row and the column of the place that their sums leave where it is.
        tables: of linear maps.
    """
    linear = np.rint(np.stack(tables) * PIXEL)
    start = -linear @ np.array(fixed)
    start[0] += np.array(fixed) * PIXEL
    maps = np.concatenate([np.rint(start)[..., None], linear], axis=-1)
    return maps.reshape(2 * CHOICES, 6).astype(np.int64)
