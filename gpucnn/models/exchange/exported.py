"""A model that is to be written in the form of another library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.layers import Layer
from gpucnn.losses import Loss


@dataclass(frozen=True)
class Exported:
    """What a model is made of.

    Args:
        name: of the model.
        layers: in order, built.
        weights: by name, such as "conv2d.kernel", on the host.
        input_shape: of one image.
        dtype: "float32" or "float64".
        softmax: whether predictions are the softmax of what the layers give.
        loss: what it is compiled with; None for the default.
    """

    name: str
    layers: Sequence[Layer]
    weights: Mapping[str, NDArray[Any]]
    input_shape: Shape
    dtype: str
    softmax: bool
    loss: Loss | None
