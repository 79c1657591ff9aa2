"""A model that was read from another library's file or object."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.layers import Layer


@dataclass(frozen=True)
class Imported:
    """What a model is made of.

    Args:
        layers: in order, not built.
        weights: of each layer, in the order and shapes of `Layer.get_weights`.
        input_shape: of one image.
        name: of the model; None for that of its class.
    """

    layers: list[Layer]
    weights: list[list[NDArray[Any]]]
    input_shape: Shape
    name: str | None = None
