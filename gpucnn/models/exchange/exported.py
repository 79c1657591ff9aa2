"""A model that is to be written in the form of another library."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.errors import InvalidTypeError
from gpucnn.layers import Layer
from gpucnn.losses import Loss
from gpucnn.models.exchange.metadata import Metadata
from gpucnn.models.graph import Graph


@dataclass(frozen=True)
class Exported:
    """What a model is made of.

    Args:
        name: of the model.
        layers: in order, built.
        graph: which of them take whose outputs.
        weights: by name, such as "conv2d.kernel", on the host.
        input_shape: of one image.
        dtype: "float32" or "float64".
        softmax: whether predictions are the softmax of what the layers give.
        loss: what it is compiled with; None for the default.
        tells_classes: whether it tells one class of several, or of a single output, of two.
        class_names: by number; None if the classes have no names.
        takes_photographs: whether pictures are photographs to it, see `takes_photographs`.
    """

    name: str
    layers: Sequence[Layer]
    graph: Graph
    weights: Mapping[str, NDArray[Any]]
    input_shape: Shape
    dtype: str
    softmax: bool
    loss: Loss | None
    tells_classes: bool
    class_names: tuple[str, ...] | None = None
    takes_photographs: bool = False

    @property
    def metadata(self) -> Metadata:
        """What its file tells beside the layers."""
        of_pictures = len(self.input_shape) == 3 and self.input_shape[2] == 1
        return Metadata(self.class_names, self.takes_photographs if of_pictures else None)

    def weights_of(self, layer: Layer) -> dict[str, NDArray[Any]]:
        """The weights of a layer that runs, see `Layer.unrolled`, by their names in it."""
        keys = layer.parameter_shapes() | layer.state_shapes()
        return {key: self.weights[f"{layer.name}.{key}"] for key in keys}


def check_is_known(layer: Layer, known: Container[type[Layer]], lacking: str) -> None:
    """Check that a layer is of one of the library's classes; a subclass may compute else.

    Args:
        layer: any.
        known: the classes.
        lacking: what one of another class lacks, and what to do.

    Raises:
        InvalidTypeError: it is of a class of the user's.
    """
    if type(layer) not in known:
        raise InvalidTypeError(
            f"{layer.name} is a {type(layer).__name__}, a class of your own, {lacking}"
        )
