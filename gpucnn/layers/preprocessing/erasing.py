"""A layer that erases rectangles of images at random in training."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, Buffer, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.base import Step
from gpucnn.layers.preprocessing.augmentation import number_of
from gpucnn.layers.preprocessing.rectangles import (
    CHOICES,
    NOISE,
    RECTANGLES,
    draw_rectangles,
    units,
)
from gpucnn.layers.preprocessing.tones import OfRange, Range
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class RandomErasing(OfRange):
    """Erases a rectangle at a random place of some of the images; in training only.

    Zhong, Zheng, Kang, Li and Yang, "Random erasing data augmentation", AAAI 2020. What is drawn is
    the same on every device, as for `RandomTranslation`. The layer comes before all layers with
    parameters.

    Args:
        factor: (lowest, highest) probability that an image has a rectangle erased, in [0, 1], all
            between being as likely; or one number for the highest, the lowest being 0.
        scale: (lowest, highest) share of an image, in [0, 1], whose root is the share of its height
            that is erased; and, drawn by itself, likewise of its width. One number is the highest.
        fill_value: the number that is left there, or one for each channel; None for noise of the
            normal distribution, times the highest of the value range. All are brought into the
            range.
        value_range: the numbers that stand for black and white, see `RandomBrightness`.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    factor: float | Range = 1.0
    scale: float | Range = (0.02, 0.33)
    fill_value: float | Sequence[float] | None = None
    value_range: Range = (0, 255)
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        self._probability = sum(arguments.shares(self.factor, "factor")) / 2
        self._scale = arguments.shares(self.scale, "scale")
        fill_value = arguments.optional(arguments.numbers, self.fill_value, "fill_value")
        vars(self)["fill_value"] = fill_value
        self._check_range()

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        fills, channels = self.fill_value, input_shape[-1]
        if isinstance(fills, tuple) and len(fills) != channels:
            raise InvalidValueError(
                f"fill_value of {self.name} has {len(fills)} numbers, but its input has the shape "
                f"{input_shape}: give one number, or {channels}"
            )

    def training_buffers(self) -> dict[str, Buffer]:
        of_images = {"fill": Buffer(self.input_shape), "output": Buffer(self.output_shape)}
        return RECTANGLES | of_images

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: Array,
    ) -> None:
        super().place(backend, real, parameters, gradients, state)
        self._ratios = backend.asarray(units(self._roots()))
        self._fills = backend.asarray(self._numbers().clip(*self._range), real)

    def _varied(self, x: Array, step: Step) -> Array:
        drawn, places = draw_rectangles(self, len(x), step)
        fill, output = self.buffer("fill", len(x)), self.buffer("output", len(x))
        stream = self.index + NOISE
        number = number_of(step)
        self.backend.draw_noise(self._fills, self.seed, stream, number, fill, step.first)
        self.backend.paste(x, fill, drawn, places, self._ratios, output)
        return output

    def _roots(self) -> NDArray[np.float64]:
        """The shares of the height that are drawn from, then those of the width.

        Of images that are left as they are, no row is erased.
        """
        left = round((1 - self._probability) * CHOICES)
        low, high = self._scale
        rows, columns = (np.linspace(low, high, count) for count in (CHOICES - left, CHOICES))
        roots: NDArray[np.float64] = np.sqrt(np.concatenate([np.zeros(left), rows, columns]))
        return roots

    def _numbers(self) -> NDArray[np.float64]:
        """What is left in a rectangle is drawn from: (m, channels)."""
        channels = self.input_shape[-1]
        if self.fill_value is None:
            from statistics import NormalDist  # imported here: `import gpucnn` stays light

            normal = NormalDist(sigma=abs(self._range[1]) or 1.0)
            quantiles = [normal.inv_cdf((k + 0.5) / CHOICES) for k in range(CHOICES)]
            return np.repeat(np.array(quantiles)[:, None], channels, axis=1)
        return np.broadcast_to(np.array(self.fill_value, np.float64), (1, channels))
