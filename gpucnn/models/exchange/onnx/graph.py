"""An ONNX graph under construction: its nodes, and in which order its tensors lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.models.exchange.order import channels_first_order

INPUT = "input"
"""The name of the graph's input; those of all other tensors within the graph have a dot."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph.

    Args:
        name: of the tensor.
        shape: for one image, as layers have it.
        is_channels_first: whether it is an image that was turned.
        order: of a vector's elements, the place that each has in gpucnn; None for that order.
    """

    name: str
    shape: Shape
    is_channels_first: bool = False
    order: NDArray[np.int64] | None = None


class Graph:
    """Nodes, each of which takes the output of the one before it, unless another was resumed.

    ONNX's windows slide over images of (channels, rows, columns), where the layers have (rows,
    columns, channels). An image is turned by a `Transpose` when an operator needs that, and then
    stays so. A vector that was flattened from such an image has its elements in another order,
    which the weights of the next layer follow.

    Nodes are named by their layers, initializers by the weights, such as "conv2d.kernel".

    Args:
        weights: by name.
        shape: of the input, of one image.

    Attributes:
        nodes: in order.
        initializers: the constants that they take.
        output: the name of the last tensor.
        shape: of that, for one image, as layers have it.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]], shape: Shape) -> None:
        self._weights = weights
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.output, self.shape = INPUT, shape
        self._scope = INPUT
        self._is_channels_first = False
        self._order: NDArray[np.int64] | None = None

    # Building

    @property
    def tensor(self) -> Tensor:
        """The last tensor."""
        return Tensor(self.output, self.shape, self._is_channels_first, self._order)

    def resume(self, tensor: Tensor) -> None:
        """Go on from a tensor of an earlier node."""
        self.output, self.shape = tensor.name, tensor.shape
        self._is_channels_first, self._order = tensor.is_channels_first, tensor.order

    def enter(self, name: str) -> None:
        """Name the layer, or what else, that the next nodes belong to."""
        self._scope = name

    def add(self, operator: str, *constants: str, part: str = "output", **attributes: Any) -> None:
        """Append a node.

        Args:
            operator: of ONNX.
            constants: the names of its further inputs, after the last tensor.
            part: of the layer, by which the output is named, and the node if it is not the last.
            attributes: of the operator.
        """
        from onnx import helper

        given, full = self.output, f"{self._scope}.{part}"
        self.output = _free(full, [node.output[0] for node in self.nodes])
        name = _free(self._scope if part == "output" else full, [node.name for node in self.nodes])
        node = helper.make_node(operator, [given, *constants], [self.output], name, **attributes)
        self.nodes.append(node)

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """Add an initializer for the layer; the name by which nodes take it."""
        from onnx import numpy_helper

        array = np.ascontiguousarray(values, dtype).reshape(np.shape(values))
        full = _free(f"{self._scope}.{name}", [each.name for each in self.initializers])
        self.initializers.append(numpy_helper.from_array(array, full))
        return full

    def weight(self, name: str) -> NDArray[Any]:
        """A weight of the layer."""
        return self._weights[f"{self._scope}.{name}"]

    def rename_output(self, name: str) -> None:
        """Give the last node's output another name."""
        self.nodes[-1].output[0] = self.output = name

    # The order of elements

    def to_channels_first(self) -> None:
        """Bring an image's channels before its rows and columns; a vector stays as it is."""
        if len(self.shape) == 1 or self._is_channels_first:
            return
        *pixels, channels = self.shape
        if 1 in (channels, prod(pixels)):  # the same in memory, which a Reshape does not copy
            shape = self.constant("image_shape", (-1, channels, *pixels), np.int64)
            self.add("Reshape", shape, part="channels_first")
        else:
            last = len(self.shape)
            self.add("Transpose", part="channels_first", perm=[0, last, *range(1, last)])
        self._is_channels_first = True

    def to_channels_last(self) -> None:
        """Bring an image, or a vector, to the order that it has in gpucnn."""
        if self._order is not None:
            places = self.constant("places", np.argsort(self._order), np.int64)
            self.add("Gather", places, part="channels_last", axis=1)
            self._order = None
        elif self._is_channels_first:
            last = len(self.shape)
            self.add("Transpose", part="channels_last", perm=[0, *range(2, last + 1), 1])
            self._is_channels_first = False

    def flatten(self) -> None:
        """Make an image a vector, in the order in which it lies."""
        self.add("Flatten", axis=1)
        if self._is_channels_first:
            self._order = channels_first_order(self.shape)
            self._is_channels_first = False

    def in_one_order(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Tensors as they are in gpucnn; or images with their channels first, if one of them is."""
        is_first = any(each.is_channels_first for each in tensors)
        turned = []
        for each in tensors:
            self.resume(each)
            if is_first:
                self.to_channels_first()
            else:
                self.to_channels_last()
            turned.append(self.tensor)
        return turned

    def in_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """What belongs to the elements of a vector, one in each row, in the order they lie in."""
        return values if self._order is None else values[self._order]

    def of_channels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Numbers for the channels, (c,), in a shape in which they meet an image or a vector."""
        if self._is_channels_first:
            return values.reshape(-1, *(1,) * (len(self.shape) - 1))
        return self.in_order(values)

    def axis(self, axis: int) -> int:
        """Where an axis of a layer, that of the batch being 0, is in the last tensor."""
        last = len(self.shape)
        place = axis % (last + 1)
        if not self._is_channels_first:
            return place
        return 1 if place == last else place + 1

    def forget_order(self) -> None:
        """Take the order of the next output for that of gpucnn, since each element is a new one."""
        self._is_channels_first, self._order = False, None


def _free(name: str, taken: Sequence[str]) -> str:
    """A name that is not taken: a layer may be called what a part of another is."""
    while name in taken:
        name += "_"
    return name
