"""Layers that move the elements of images, or give them another shape, and change none."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from math import prod

from gpucnn.backends import Array, Buffer, Calls, Shape
from gpucnn.backends.window import Pair
from gpucnn.errors import InvalidValueError
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.windowed.sliding import image_size
from gpucnn.utils import arguments

# Of another shape


class Reshaping(Layer):
    """A layer whose output is its input in another shape, in the same memory."""

    _given: Array | None = None
    _shaped: Array

    def inference_buffers(self) -> dict[str, Buffer]:
        return {}

    def training_buffers(self) -> dict[str, Buffer]:
        return {}

    def forward(self, x: Array, step: Step | None) -> Array:
        return x.reshape(len(x), *self.output_shape)

    def _bind(self, x: Array, calls: Calls) -> Array:
        return self.forward(self.backend.bind_flattening(x, calls), None)

    def backward(self, output_gradient: Array) -> Array:
        if output_gradient is not self._given:  # else the layer before has views of the same array
            self._given = output_gradient
            self._shaped = output_gradient.reshape(len(output_gradient), *self.input_shape)
        return self._shaped


@dataclass(eq=False, repr=False)
class Flatten(Reshaping):
    """Reshapes each image to a vector, in the order rows, columns, channels.

    Args:
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: `input_shape` is not the shape of an image.
    """

    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)

    def build(self, input_shape: Shape) -> None:
        self.input_shape = input_shape
        self.output_shape = (prod(input_shape),)


@dataclass(eq=False, repr=False)
class Reshape(Reshaping):
    """Gives each image, or vector, another shape, in the order rows, columns, channels.

    Args:
        target_shape: of one image; one of its sizes may be -1, for what is left.
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    target_shape: Sequence[int]
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        self._target = arguments.target_shape(self.target_shape, "target_shape")

    def build(self, input_shape: Shape) -> None:
        size, known = prod(input_shape), prod(each for each in self._target if each != -1)
        shape = tuple(size // known if each == -1 else each for each in self._target)
        if prod(shape) != size:
            raise InvalidValueError(
                f"{self.name} makes the shape {self._target}, but its input has the shape "
                f"{input_shape}, of {size:,} numbers: give a shape of as many"
            )
        self.input_shape, self.output_shape = input_shape, shape


# In another frame


class Framing(Layer):
    """A layer that moves images into a frame of another size, by the operation `pad`."""

    _rows: Pair
    """The rows above and below the image; negative for rows that are cut off."""

    _columns: Pair
    """Likewise the columns to the left and to the right."""

    def build(self, input_shape: Shape) -> None:
        height, width = image_size(self.name, input_shape)
        rows, columns = height + sum(self._rows), width + sum(self._columns)
        if rows < 1 or columns < 1:
            raise InvalidValueError(
                f"{self.name} cuts off {-sum(self._rows)} rows and {-sum(self._columns)} columns, "
                f"but its input has the shape {input_shape}: leave at least a pixel"
            )
        self.input_shape, self.output_shape = input_shape, (rows, columns, input_shape[2])

    def forward(self, x: Array, step: Step | None) -> Array:
        output = self.buffer("output", len(x))
        self.backend.pad(x, self._rows[0], self._columns[0], output)
        return output

    def backward(self, output_gradient: Array) -> Array:
        input_gradient = self.buffer("input_gradient", len(output_gradient))
        self.backend.pad(output_gradient, -self._rows[0], -self._columns[0], input_gradient)
        return input_gradient


Sides = int | Pair | tuple[Pair, Pair]
"""Of all sides of an image; of its rows and its columns; or ((top, bottom), (left, right))."""


@dataclass(eq=False, repr=False)
class ZeroPadding2D(Framing):
    """Puts rows and columns of zeros around images.

    Args:
        padding: their number on all sides; for rows and for columns; or as ((top, bottom),
            (left, right)).
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    padding: Sides = (1, 1)
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        self._rows, self._columns = arguments.sides(self.padding, "padding")


@dataclass(eq=False, repr=False)
class Cropping2D(Framing):
    """Cuts rows and columns off the sides of images.

    Args:
        cropping: their number on all sides; for rows and for columns; or as ((top, bottom),
            (left, right)).
        input_shape: of one image, of the first layer of a model; see `Input`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    cropping: Sides = ((0, 0), (0, 0))
    input_shape: InitVar[Sequence[int] | None] = None

    def __post_init__(self, input_shape: Sequence[int] | None) -> None:
        self._begin_model(input_shape)
        (top, bottom), (left, right) = arguments.sides(self.cropping, "cropping")
        self._rows, self._columns = (-top, -bottom), (-left, -right)
