"""Layers that make one output of those of several layers, in networks that branch."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

from gpucnn.backends import Array, Buffer, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.tensor import Tensor


class MergingLayer(Layer):
    """A function of several inputs: a layer that is called with a list of them.

    Its methods are those of other layers, for several shapes and arrays in the place of one.

    Attributes:
        input_shapes: of one image, by inputs, once it is built.
    """

    is_merging: ClassVar[bool] = True

    input_shapes: tuple[Shape, ...]

    def build(self, input_shapes: Sequence[Shape]) -> None:  # type: ignore[override]
        """Set `input_shapes` and `output_shape`.

        Raises:
            InvalidValueError: there are fewer than two, or the layer does not accept inputs of such
                shapes.
        """
        if len(input_shapes) < 2:
            raise InvalidValueError(
                f"{self.name} merges the outputs of at least two layers, but is given one: make a "
                "gpucnn.Model(inputs, outputs), in which it is called with a list, as in "
                f"{type(self).__name__}()([x, y])"
            )
        self.input_shapes = tuple(input_shapes)
        self.output_shape = self.merged_shape()

    @abstractmethod
    def merged_shape(self) -> Shape:
        """The shape of the output, given `input_shapes`.

        Raises:
            InvalidValueError: the layer does not accept inputs of such shapes.
        """

    def training_buffers(self) -> dict[str, Buffer]:
        """The gradient of each input."""
        shapes = self.input_shapes if self.needs_input_gradient else ()
        return {f"input_gradient_{i}": Buffer(shape) for i, shape in enumerate(shapes)}

    @abstractmethod
    def forward(self, inputs: Sequence[Array], step: Step | None) -> Array:  # type: ignore[override]
        """Compute the output for a microbatch.

        Args:
            inputs: real, each `(n, *shape)` for its one of `input_shapes`.
            step: see `Layer.forward`.

        Returns:
            real `(n, *output_shape)`.
        """

    @abstractmethod
    def backward(self, output_gradient: Array) -> Sequence[Array]:  # type: ignore[override]
        """Compute the gradients for the microbatch of the last `forward`.

        Args:
            output_gradient: real `(n, *output_shape)`.

        Returns:
            The gradient with respect to each input, real `(n, *shape)`; or none if they are not
            needed. Several may be the same array, and that may be `output_gradient`.
        """


@dataclass(eq=False, repr=False)
class Add(MergingLayer):
    """The sum of its inputs, which have the same shape, element by element.

    Raises:
        InvalidValueError: the shapes of the inputs differ, when it is called with them.
    """

    def merged_shape(self) -> Shape:
        first = self.input_shapes[0]
        if any(shape != first for shape in self.input_shapes):
            raise InvalidValueError(
                f"{self.name} adds inputs of one shape, but is given "
                f"{_in_words(self.input_shapes)}: bring them to one shape first, such as by "
                "Conv2D(filters, 1, strides)"
            )
        return first

    def training_buffers(self) -> dict[str, Buffer]:
        """None: the gradient of the output is that of every input."""
        return {}

    def forward(self, inputs: Sequence[Array], step: Step | None) -> Array:  # type: ignore[override]
        first, second, *others = inputs
        output = self.buffer("output", len(first))
        self.backend.add(first, second, output)
        for each in others:
            self.backend.accumulate(each, output)
        return output

    def backward(self, output_gradient: Array) -> Sequence[Array]:  # type: ignore[override]
        return (output_gradient,) * len(self.input_shapes)


def add(inputs: Sequence[Tensor], *, name: str | None = None) -> Tensor:
    """`Add` called on `inputs`."""
    return Add(name=name)(inputs)


Tensor.added = staticmethod(add)


@dataclass(eq=False, repr=False)
class Concatenate(MergingLayer):
    """Its inputs one after the other along an axis, in all others of which they have one size.

    Args:
        axis: along which; 1, 2 and 3 are rows, columns and channels of images, and negative ones
            count from the last. Axis 0 is that of the batch, along which nothing is concatenated.

    Raises:
        InvalidValueError: `axis` is not a whole number, or is 0; or the inputs have no such axis,
            or differ in another, when it is called with them.
    """

    axis: int = -1

    def __post_init__(self) -> None:
        if not isinstance(self.axis, Integral) or isinstance(self.axis, bool) or self.axis == 0:
            raise InvalidValueError(
                f"axis is {self.axis!r}: it must be a whole number, such as -1 for the channels, "
                "and not 0, the axis of the batch"
            )

    def merged_shape(self) -> Shape:
        first = self.input_shapes[0]
        axes = len(first) + 1  # that of the batch among them
        self._axis = self.axis + axes if self.axis < 0 else int(self.axis)
        if not 1 <= self._axis < axes:
            raise InvalidValueError(
                f"{self.name} concatenates along axis {self.axis}, but its inputs, of the shape "
                f"{first}, have the axes 1 to {axes - 1}, and 0, that of the batch: give one of "
                f"1 to {axes - 1}, or -1 to {1 - axes}"
            )
        before, after = slice(self._axis - 1), slice(self._axis, None)
        if any(
            (*s[before], *s[after]) != (*first[before], *first[after]) or len(s) != len(first)
            for s in self.input_shapes
        ):
            raise InvalidValueError(
                f"{self.name} concatenates inputs that differ along axis {self.axis} alone, but is "
                f"given {_in_words(self.input_shapes)}: bring them to one size first"
            )
        length = sum(shape[self._axis - 1] for shape in self.input_shapes)
        return (*first[before], length, *first[after])

    def forward(self, inputs: Sequence[Array], step: Step | None) -> Array:  # type: ignore[override]
        output, first = self.buffer("output", len(inputs[0])), 0
        for each in inputs:
            self.backend.store_part(each, self._axis, first, output)
            first += each.shape[self._axis]
        return output

    def backward(self, output_gradient: Array) -> Sequence[Array]:  # type: ignore[override]
        gradients = [self.buffer(name, len(output_gradient)) for name in self.training_buffers()]
        first = 0
        for each in gradients:
            self.backend.take_part(output_gradient, self._axis, first, each)
            first += each.shape[self._axis]
        return gradients


def concatenate(inputs: Sequence[Tensor], axis: int = -1, *, name: str | None = None) -> Tensor:
    """`Concatenate` called on `inputs`."""
    return Concatenate(axis, name=name)(inputs)


def _in_words(shapes: Sequence[Shape]) -> str:
    return f"{', '.join(map(str, shapes[:-1]))} and {shapes[-1]}"
