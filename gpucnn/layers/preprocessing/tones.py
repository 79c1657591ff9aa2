"""Layers that vary the brightness and the contrast of images at random in training."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass

from gpucnn.backends import Array
from gpucnn.backends.ops.images.resampling import PIXEL
from gpucnn.backends.window import Pair
from gpucnn.layers.preprocessing.augmentation import Augmentation, ByTwoNumbers
from gpucnn.utils import arguments

Range = tuple[float, float]


class OfRange(Augmentation):
    """A layer that varies the numbers of images within a range.

    Attributes:
        value_range: the numbers that stand for black and white where the layer is in its model.
    """

    value_range: Range

    def _check_range(self) -> None:
        self._range = arguments.increasing(self.value_range, "value_range")


@dataclass(eq=False, repr=False)
class RandomBrightness(ByTwoNumbers, OfRange):
    """Makes each image lighter or darker by a random share of the range of pixels; in training.

    Shares are drawn as `RandomTranslation` draws shifts, in whole multiples of 2^-16. Pixels that
    leave the range are brought back to its end. The layer comes before all layers with parameters.

    Args:
        factor: (lowest, highest) share to add, in [-1, 1], negative for darker; or one number for
            both, its negative as the lowest.
        value_range: the numbers that stand for black and white where the layer is in its model:
            (0, 255) of bytes before a `Rescaling`, (-0.5, 0.5) of bytes in a model without one.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    factor: float | Range
    value_range: Range = (0, 255)
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        self._shares = arguments.factor(self.factor, "factor")
        self._check_range()

    def _limits(self) -> tuple[Pair, Pair]:
        low, high = (round(share * PIXEL) for share in self._shares)
        return (low, 0), (high, 0)

    def _vary(self, x: Array, drawn: Array, out: Array) -> None:
        self.backend.brighten(x, drawn, *self._range, out)


@dataclass(eq=False, repr=False)
class RandomContrast(ByTwoNumbers, OfRange):
    """Gives each image more or less contrast, by a random factor; in training only.

    What pixels differ by from the mean of their channel is multiplied. Factors are drawn as
    `RandomTranslation` draws shifts, in whole multiples of 2^-16. Pixels that leave the range are
    brought back to its end. The layer comes before all layers with parameters.

    Args:
        factor: (lower, upper) numbers in [0, 1], of which the factor is from 1 - lower to 1 +
            upper; or one number for both.
        value_range: see `RandomBrightness`.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    factor: float | Range
    value_range: Range = (0, 255)
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        lower, upper = arguments.shares(self.factor, "factor")
        if not isinstance(self.factor, (tuple, list)):
            lower = upper
        self._factors = 1 - lower, 1 + upper
        self._check_range()

    def _limits(self) -> tuple[Pair, Pair]:
        low, high = (round(factor * PIXEL) for factor in self._factors)
        return (low, 0), (high, 0)

    def _vary(self, x: Array, drawn: Array, out: Array) -> None:
        self.backend.contrast(x, drawn, *self._range, out)
