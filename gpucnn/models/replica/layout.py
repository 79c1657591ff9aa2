"""Where the parameters and the state of layers lie in the flat vectors of a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Shape
from gpucnn.datasets.device_dataset import is_finite
from gpucnn.errors import InvalidValueError
from gpucnn.layers import Layer


@dataclass(frozen=True)
class Parameter:
    """Where a parameter lies: its layer, its name in it, and its offset in the flat vector.

    Args:
        layer: of which it is a part.
        key: its name in the layer.
        shape: its shape.
        start: its offset.
        is_trained: whether it lies in the vector of the parameters, else in that of the state.
    """

    layer: Layer
    key: str
    shape: Shape
    start: int
    is_trained: bool = True

    @property
    def name(self) -> str:
        """The parameter's name within the model, such as "conv2d.kernel"."""
        return f"{self.layer.name}.{self.key}"

    def check(self, values: NDArray[Any], dtype: "np.dtype[np.floating]") -> None:
        """Check values for the parameter of a model of `dtype`.

        Raises:
            InvalidValueError: they have another shape, or are not finite numbers of `dtype`.
        """
        if values.shape != self.shape:
            raise InvalidValueError(
                f"the weights given for {self.name} have the shape {values.shape}, "
                f"but it has the shape {self.shape}"
            )
        if values.dtype.kind not in "fiu" or not is_finite(values, dtype):
            raise InvalidValueError(
                f"the weights given for {self.name} are not finite numbers of {dtype}"
            )

    def view(self, vector: Array) -> Array:
        """A view of the parameter in the flat vector `vector`, in the parameter's shape."""
        return vector[self.start : self.start + prod(self.shape)].reshape(self.shape)


def lay_out(layers: Sequence[Layer]) -> tuple[Parameter, ...]:
    """Place the parameters of built layers one after the other in a flat vector."""
    return _in_a_row(layers, lambda layer: layer.parameter_shapes(), is_trained=True)


def lay_out_state(layers: Sequence[Layer]) -> tuple[Parameter, ...]:
    """Place the state of built layers likewise."""
    return _in_a_row(layers, lambda layer: layer.state_shapes(), is_trained=False)


def in_layer_order(layers: Sequence[Layer]) -> tuple[Parameter, ...]:
    """The parameters and the state of built layers: those of a layer, then its state, in order."""
    both = (*lay_out(layers), *lay_out_state(layers))
    return tuple(each for layer in layers for each in both if each.layer is layer)


def size_of(layout: Sequence[Parameter]) -> int:
    """The length of the flat vector."""
    return sum(prod(each.shape) for each in layout)


def penalties_of(layout: Sequence[Parameter]) -> list[float]:
    """By what the squares of each parameter are multiplied in the loss, 0 for most."""
    return [parameter.layer.penalties().get(parameter.key, 0.0) for parameter in layout]


def of_elements(numbers: Sequence[float], layout: Sequence[Parameter]) -> NDArray[np.float64]:
    """A number of each parameter as that of each of its elements in a flat vector."""
    return np.repeat(np.array(numbers, np.float64), [prod(each.shape) for each in layout])


def part_of(vector: Array, consecutive: Sequence[Parameter]) -> Array:
    """A view of what consecutive parameters are of a flat vector, itself flat."""
    first = consecutive[0].start if consecutive else 0
    return vector[first : first + size_of(consecutive)]


def _in_a_row(
    layers: Sequence[Layer], shapes_of: Callable[[Layer], dict[str, Shape]], *, is_trained: bool
) -> tuple[Parameter, ...]:
    placed: list[Parameter] = []
    start = 0
    for layer in layers:
        for key, shape in shapes_of(layer).items():
            placed.append(Parameter(layer, key, shape, start, is_trained))
            start += prod(shape)
    return tuple(placed)
