"""Layers that vary images at random in training, so that a model does not learn them by heart."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from typing import ClassVar

from gpucnn.backends import Array, Buffer, Shape
from gpucnn.backends.ops.images.resampling import FILL_MODES, MOST_SIDE, PIXEL
from gpucnn.backends.window import Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.windowed.sliding import image_size
from gpucnn.utils import arguments


class Augmentation(Layer):
    """A layer that varies images in training, and leaves them as they are outside of it.

    What is drawn for an image is a function of the model's seed, the layer's index in the model,
    the number of the training step and the image's number in the batch: the same on every device,
    however the batch is split, and in a resumed run.

    There is no gradient: the layer comes before all layers with parameters.
    """

    def build(self, input_shape: Shape) -> None:
        if self.needs_input_gradient:
            raise InvalidValueError(
                f"{self.name} comes after a layer with parameters: put what varies images before "
                "the first of these"
            )
        self._size = image_size(self.name, input_shape)
        self.input_shape = self.output_shape = input_shape

    def inference_buffers(self) -> dict[str, Buffer]:
        return {}

    def forward(self, x: Array, step: Step | None) -> Array:
        if step is None or step.number is None:
            return self._left(x)
        return self._varied(x, step)

    def backward(self, output_gradient: Array) -> Array | None:
        """Do nothing: no layer before it needs a gradient."""
        return None

    @abstractmethod
    def _varied(self, x: Array, step: Step) -> Array:
        """What images are in a step of training: real (n, *output_shape)."""

    def _left(self, x: Array) -> Array:
        """What they are outside of training."""
        return x


def number_of(step: Step) -> Array:
    """The number of a step in which images are varied: int64 (1,), on the device."""
    assert step.number is not None
    return step.number


class ByTwoNumbers(Augmentation):
    """A layer that draws two whole numbers for each image, and varies it accordingly."""

    def training_buffers(self) -> dict[str, Buffer]:
        return {"drawn": Buffer((2,), "int32"), "output": Buffer(self.output_shape)}

    def _varied(self, x: Array, step: Step) -> Array:
        drawn, output = self.buffer("drawn", len(x)), self.buffer("output", len(x))
        draw, number = self.backend.draw_integers, number_of(step)
        draw(*self._limits(), self.seed, self.index, number, drawn, step.first)
        self._vary(x, drawn, output)
        return output

    @abstractmethod
    def _limits(self) -> tuple[Pair, Pair]:
        """The least, and the greatest, of the numbers that are drawn for an image."""

    @abstractmethod
    def _vary(self, x: Array, drawn: Array, out: Array) -> None:
        """Write images changed by what was drawn.

        Args:
            x: real (n, h, w, c).
            drawn: int32 (n, 2).
            out: real (n, *output_shape), written.
        """


FLIPS = {"horizontal": (0, 1), "vertical": (1, 0), "horizontal_and_vertical": (1, 1)}
"""Whether rows, and columns, may be reversed, by the mode of `RandomFlip`."""


@dataclass(eq=False, repr=False)
class RandomFlip(ByTwoNumbers):
    """Mirrors images, or turns them upside down, each with probability 1/2; in training only.

    Which images is a function of the model's seed, the layer's index, the training step and the
    image's number in the batch, as for `RandomTranslation`. The layer comes before all layers with
    parameters.

    Args:
        mode: "horizontal" to exchange left and right, "vertical" top and bottom, or
            "horizontal_and_vertical" for both, each by itself.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    mode: str = "horizontal_and_vertical"
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        arguments.one_of(self.mode, "mode", tuple(FLIPS))

    def _limits(self) -> tuple[Pair, Pair]:
        return (0, 0), FLIPS[self.mode]

    def _vary(self, x: Array, drawn: Array, out: Array) -> None:
        self.backend.flip(x, drawn, out)


class Filling(Augmentation):
    """A layer that interpolates images, and fills what stands beyond their edges.

    Attributes:
        interpolations: those that it has.
    """

    interpolations: ClassVar[tuple[str, ...]]

    fill_mode: str
    interpolation: str
    fill_value: float

    def _check_filling(self) -> None:
        arguments.one_of(self.fill_mode, "fill_mode", FILL_MODES)
        arguments.one_of(self.interpolation, "interpolation", self.interpolations)
        arguments.number(self.fill_value, "fill_value")


@dataclass(eq=False, repr=False)
class RandomTranslation(ByTwoNumbers, Filling):
    """Moves each image by random shares of its height and width; in training only.

    Shifts are real numbers, whole multiples of 2^-16 of a pixel, and pixels are interpolated
    between their neighbours. They are a function of the model's seed, the layer's index, the
    training step and the image's number in the batch: the same on every device, for any number of
    workers, and in a resumed run. The layer comes before all layers with parameters.

    Args:
        height_factor: (lowest, highest) share of the height to move down by, in [-1, 1], negative
            for up; or one number for both, its negative as the lowest.
        width_factor: likewise of the width, to the right.
        fill_mode: what stands beyond the edges of an image: "reflect", the image mirrored at the
            edge; "wrap", the other side; "nearest", the pixel at the edge; or "constant".
        interpolation: "bilinear", the only one here.
        fill_value: the number that stands beyond the edges in the fill mode "constant".
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    interpolations: ClassVar[tuple[str, ...]] = ("bilinear",)

    height_factor: float | tuple[float, float]
    width_factor: float | tuple[float, float]
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    fill_value: float = 0.0
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        factors = self.height_factor, self.width_factor
        names = "height_factor", "width_factor"
        self._factors = tuple(map(arguments.factor, factors, names))
        self._check_filling()

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if max(self._size) > MOST_SIDE:
            raise InvalidValueError(
                f"{self.name} moves images of up to {MOST_SIDE:,} pixels a side, but its input has "
                f"the shape {input_shape}: scale the images down"
            )

    def _limits(self) -> tuple[Pair, Pair]:
        of_axes = [
            (round(low * size * PIXEL), round(high * size * PIXEL))
            for (low, high), size in zip(self._factors, self._size, strict=True)
        ]
        (down, down_most), (right, right_most) = of_axes
        return (down, right), (down_most, right_most)

    def _vary(self, x: Array, drawn: Array, out: Array) -> None:
        self.backend.translate(x, drawn, self.fill_mode, self.fill_value, out)
