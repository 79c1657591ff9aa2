"""A model that was read from another library's file or object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.layers import Layer
from gpucnn.layers.ends import end_of
from gpucnn.losses import BinaryCrossentropy, Loss, SparseCategoricalCrossentropy
from gpucnn.metrics import Metric
from gpucnn.models.exchange.metadata import NOTHING, Metadata
from gpucnn.models.graph import Graph
from gpucnn.models.network import unroll
from gpucnn.models.pixels import Encoding
from gpucnn.optimizers import Optimizer


class Compiled(NamedTuple):
    """Arguments of `compile`.

    Args:
        optimizer: None for the default.
        loss: None for the default.
        metrics: besides those that are measured unasked.
    """

    optimizer: Optimizer | None
    loss: Loss | None
    metrics: Sequence[Metric]


@dataclass(frozen=True)
class Imported:
    """What a model is made of.

    Args:
        layers: in order, not built.
        weights: of each layer, in the order and shapes of `Layer.get_weights`.
        input_shape: of one image.
        name: of the model; None for that of its class.
        dtype: "float32" or "float64".
        compiled: what it is compiled with; None to leave that.
        encoding: of the pixels that it was trained on; None if it is not known.
        graph: which layers take whose outputs; None for a `Sequential`.
        metadata: what is told beside.
    """

    layers: list[Layer]
    weights: list[list[NDArray[Any]]]
    input_shape: Shape
    name: str | None = None
    dtype: str = "float32"
    compiled: Compiled | None = None
    encoding: Encoding | None = None
    graph: Graph | None = None
    metadata: Metadata = NOTHING


def loss_of_outputs(layers: Sequence[Layer]) -> Loss | None:
    """The loss with which a model predicts what its layers give; None for the default.

    By default, what is not softmax or sigmoid is taken for logits, and predictions are the softmax,
    of at least two classes.

    Args:
        layers: of the model, built.
    """
    end, is_single = end_of(layers), unroll(layers)[-1].output_shape[0] == 1
    if end == "linear":
        kind = BinaryCrossentropy if is_single else SparseCategoricalCrossentropy
        return kind(from_logits=True)
    return BinaryCrossentropy() if end == "sigmoid" and is_single else None
