"""A layer that cuts windows out of images, at random places in training."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass

import numpy as np

from gpucnn.backends import Array, Backend, Buffer, Shape
from gpucnn.backends.ops.images.resampling import PIXEL
from gpucnn.backends.window import Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers.preprocessing.augmentation import ByTwoNumbers
from gpucnn.utils import arguments


@dataclass(eq=False, repr=False)
class RandomCrop(ByTwoNumbers):
    """Cuts a window out of each image: at a random place in training, else in the middle.

    Places are drawn as `RandomTranslation` draws shifts, for each image. The layer comes before all
    layers with parameters.

    Args:
        height: of the window, at most that of the images.
        width: likewise.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    height: int
    width: int
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        arguments.positive_integer(self.height, "height")
        arguments.positive_integer(self.width, "width")

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        height, width, channels = input_shape
        if self.height > height or self.width > width:
            raise InvalidValueError(
                f"{self.name} cuts out windows of {self.height}x{self.width} pixels, but its input "
                f"has the shape {input_shape}: choose a smaller window, or put ZeroPadding2D before"
            )
        self.output_shape = self.height, self.width, channels

    @property
    def cropping(self) -> tuple[Pair, Pair]:
        """What is cut off in use, as `Cropping2D` takes it: ((top, bottom), (left, right))."""
        rows, columns = self._spare
        return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)

    @property
    def _spare(self) -> Pair:
        """The rows, and the columns, that are cut off."""
        return self._size[0] - self.height, self._size[1] - self.width

    def inference_buffers(self) -> dict[str, Buffer]:
        return {"output": Buffer(self.output_shape)}

    def training_buffers(self) -> dict[str, Buffer]:
        gradient = {"input_gradient": Buffer(self.input_shape)} if self.needs_input_gradient else {}
        return super().training_buffers() | gradient

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: Array,
    ) -> None:
        super().place(backend, real, parameters, gradients, state)
        rows, columns = self._spare
        down = [(start * PIXEL, PIXEL, 0, 0, 0, 0) for start in range(rows + 1)]
        right = [(0, 0, 0, start * PIXEL, 0, PIXEL) for start in range(columns + 1)]
        self._maps = backend.asarray(np.array(down + right), np.int32)

    def _limits(self) -> tuple[Pair, Pair]:
        rows, columns = self._spare
        return (0, rows + 1), (rows, rows + 1 + columns)

    def _vary(self, x: Array, drawn: Array, out: Array) -> None:
        self.backend.transform(x, drawn, self._maps, "nearest", 0.0, "nearest", out)

    def _left(self, x: Array) -> Array:
        (top, _), (left, _) = self.cropping
        output = self.buffer("output", len(x))
        self.backend.pad(x, -top, -left, output)
        return output

    def backward(self, output_gradient: Array) -> Array | None:
        """The gradient of images that were cut in use, which those ask for who look at a model."""
        if not self.needs_input_gradient:
            return None
        (top, _), (left, _) = self.cropping
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self.backend.pad(output_gradient, top, left, input_gradient)
        return input_gradient
