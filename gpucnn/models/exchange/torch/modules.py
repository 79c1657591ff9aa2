"""PyTorch's modules, described without PyTorch, and where their tensors come from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.layers import Layer
from gpucnn.models.exchange.order import channels_first_order
from gpucnn.models.graph import IMAGES

Values = NDArray[Any]


@dataclass(frozen=True)
class Weight:
    """A tensor whose elements are those of a weight, in another order.

    Args:
        name: of the weight, such as "conv2d.kernel".
        shape: of the weight.
        places: int64, in the tensor's shape: the place of each element in the weight, flattened.
    """

    name: str
    shape: Shape
    places: NDArray[np.int64]

    def to_torch(self, values: Values) -> Values:
        """The tensor, for values of the weight."""
        return values.reshape(-1)[self.places]

    def from_torch(self, tensor: Values) -> Values:
        """The values of the weight, for the tensor."""
        values = np.empty(prod(self.shape), tensor.dtype)
        values[self.places] = tensor
        return values.reshape(self.shape)


Tensor = Weight | Values
"""A tensor that follows from a weight; or one that does not, and is not trained."""


FUNCTIONS = ("add", "cat")
"""Those of PyTorch that take the place of modules which it has not, of several inputs."""


@dataclass(frozen=True)
class Module:
    """A module, or a call of a function.

    Args:
        kind: the name of its class in torch.nn, or that of one of `FUNCTIONS`.
        arguments: of its constructor, or further ones of the function.
        tensors: its parameters and buffers by name, in PyTorch's order.
        inputs: the numbers of the modules whose outputs it takes, or `IMAGES`.
    """

    kind: str
    arguments: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    inputs: tuple[int, ...]

    @property
    def is_function(self) -> bool:
        """Whether it is no module, but a call."""
        return self.kind in FUNCTIONS

    @property
    def has_weights(self) -> bool:
        """Whether one of its tensors follows from a weight."""
        return self.layer != ""

    @property
    def layer(self) -> str:
        """The name of the layer from whose weights its tensors follow; "" for none."""
        weights = (each.name for each in self.tensors.values() if isinstance(each, Weight))
        return next(weights, "").rpartition(".")[0]


def are_chain(modules: Sequence[Module]) -> bool:
    """Whether each module takes the output of the one before it."""
    return all(each.inputs == (number - 1,) for number, each in enumerate(modules))


@dataclass(frozen=True)
class Output:
    """What a module gives, where modules are under construction.

    Args:
        number: of the module, or `IMAGES`.
        shape: for one image, as layers have it.
        is_channels_last: whether it is an image that lies as layers have it.
        flattened: the image that a vector lies in the order of, channels first; () for none.
    """

    number: int
    shape: Shape
    is_channels_last: bool
    flattened: Shape


class Modules:
    """Modules under construction, which take the output of the one before them, or others.

    Images are (channels, rows, columns) in them. A vector that was flattened from an image has its
    elements in that order, which the weights of the next layer follow. An input of two axes, which
    is an image without channels in PyTorch, comes as it is.

    Args:
        shape: of an input, as layers have it.

    Attributes:
        made: the modules, in order.
        shape: of the last output, as layers have it.
    """

    def __init__(self, shape: Shape) -> None:
        self.made: list[Module] = []
        self.resume(Output(IMAGES, shape, len(shape) == 2, ()))

    @property
    def output(self) -> Output:
        """The last output."""
        return Output(self._number, self.shape, self._is_channels_last, self._flattened)

    def resume(self, output: Output) -> None:
        """Go on from an output."""
        self._number, self.shape = output.number, output.shape
        self._is_channels_last, self._flattened = output.is_channels_last, output.flattened

    def add(self, kind: str, tensors: Mapping[str, Tensor] | None = None, **arguments: Any) -> None:
        """Append a module, which takes the last output, see `Module`."""
        self._append(Module(kind, arguments, tensors or {}, (self._number,)))

    def join(self, function: str, outputs: Sequence[Output], **arguments: Any) -> None:
        """Append a call of one of `FUNCTIONS`, of outputs in one order."""
        self.resume(outputs[0])
        self._append(Module(function, arguments, {}, tuple(each.number for each in outputs)))

    def _append(self, module: Module) -> None:
        self._number = len(self.made)
        self.made.append(module)

    # The order of elements

    def flatten(self) -> None:
        """Make an image a vector, in the order in which it lies."""
        self.add("Flatten")
        self._flattened = () if self._is_channels_last else self.shape
        self._is_channels_last = False

    def forget_order(self) -> None:
        """Take the order of the next output for that of gpucnn, since each element is a new one."""
        self._flattened = ()

    def in_order(self, values: Values) -> Values:
        """What belongs to the elements of a vector, one in each row, in the order they lie in."""
        order = channels_first_order(self._flattened) if self._flattened else None
        return values if order is None else values[order]

    def in_one_order(self, outputs: Sequence[Output]) -> list[Output]:
        """Outputs that lie alike: vectors in gpucnn's order, images channels first if one is."""
        is_first = not all(each.is_channels_last for each in outputs)
        ordered = []
        for each in outputs:
            self.resume(each)
            if len(each.shape) == 1:
                self.to_channels_last()
            elif is_first:
                self.to_channels_first()
            ordered.append(self.output)
        return ordered

    def axis(self, axis: int) -> int:
        """Where an axis of a layer, that of the batch being 0, is in the last output."""
        last = len(self.shape)
        place = axis % (last + 1)
        if self._is_channels_last or last == 1:
            return place
        return 1 if place == last else place + 1

    def to_channels_first(self) -> None:
        """Bring the last axis of an image before the others, where it is not yet."""
        if self._is_channels_last:
            shape = self.shape
            self.flatten()
            self.to_image(shape)

    def to_channels_last(self) -> None:
        """Make an image, or a vector, a vector in gpucnn's order."""
        if len(self.shape) > 1:
            self.flatten()
        if self._flattened:
            self._transpose(self._flattened[-1], prod(self._flattened))
        self.forget_order()

    def to_image(self, shape: Shape) -> None:
        """Make a vector in gpucnn's order an image."""
        *pixels, channels = shape
        self._transpose(prod(pixels), prod(shape))
        self.add("Unflatten", dim=1, unflattened_size=(channels, *pixels))

    def _transpose(self, rows: int, elements: int) -> None:
        """Exchange the rows and the columns of a vector seen as a matrix of so many rows."""
        if rows not in (1, elements):
            self.add("Unflatten", dim=1, unflattened_size=(elements, 1, 1))
            self.add("ChannelShuffle", groups=rows)
            self.add("Flatten")


def weight_of(layer: Layer, name: str, change: Callable[[Values], Values]) -> Weight:
    """A tensor that follows from a weight of a built layer.

    Args:
        layer: that has it.
        name: of the weight in the layer.
        change: puts its elements in PyTorch's order, an array of their shape as another.
    """
    shape = (layer.parameter_shapes() | layer.state_shapes())[name]
    places = np.arange(prod(shape), dtype=np.int64).reshape(shape)
    return Weight(f"{layer.name}.{name}", shape, change(places))
