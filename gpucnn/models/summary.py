"""A model as a table: the output shape and the cost of each layer."""

from collections.abc import Sequence
from typing import Any

from gpucnn.layers import Layer
from gpucnn.models.network import Network
from gpucnn.utils.table import Table

HEADINGS = ("layer", "output shape", "parameters", "multiply-adds", "bytes/image")


def summary(network: Network, layers: Sequence[Layer]) -> Table:
    """The layers of a built network: output shape, parameters, multiply-adds and memory.

    Fused layers have one row. Among the parameters are those that are not trained, such as moving
    averages; how many, is said below the table. Multiply-adds are those of the forward pass of one
    image. Memory is the bytes per image of a batch that a training step keeps: outputs, gradients,
    and what the gradients need, such as patches or the positions of maxima.
    """
    numbers = [
        (parameter_count(layer), layer.multiply_adds(), memory_per_image(layer)) for layer in layers
    ]
    texts = [(layer.name.replace("+", "\n+ "), str(layer.output_shape)) for layer in layers]
    rows = [(*text, *counts) for text, counts in zip(texts, numbers, strict=True)]
    totals = ("total", "", *(sum(column) for column in zip(*numbers, strict=True)))
    title = (
        f"{network.name}: input {network.input_shape}, {network.dtype.name}, on "
        f"{network.backend.device}"
    )
    return Table(title, HEADINGS, rows, totals, _note(network))


def outline(name: str, layers: Sequence[Any]) -> Table:
    """The layers so far of a model that is not built, as they are made."""
    rows = [(repr(layer),) for layer in layers]
    note = "Shapes and parameters are known once the model has seen images."
    return Table(f"{name}, not built yet", ("layer",), rows, note=note)


def memory_per_image(layer: Layer) -> int:
    """The layer's bytes of buffers for each image of a batch in training."""
    buffers = layer.inference_buffers() | layer.training_buffers()
    return sum(buffer.size(layer.real) for buffer in buffers.values())


def parameter_count(layer: Layer) -> int:
    """The number of parameters of the layer, state that is not trained among them, as in Keras."""
    return sum(values.size for values in layer.parameters.values()) + layer.state.size


def _note(network: Network) -> str | None:
    replica = network.replica
    trained, kept = replica.parameters.size, replica.state.size
    return f"{trained:,} parameters are trained, {kept:,} are not" if kept else None
