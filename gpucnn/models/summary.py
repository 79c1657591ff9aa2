"""A model as a table: the output shape and the cost of each layer."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from gpucnn.layers import Layer
from gpucnn.models.graph import IMAGES, Stretch
from gpucnn.models.network import Network
from gpucnn.models.replica.lane import Lane
from gpucnn.utils.table import Cell, Table

HEADINGS = ("layer", "output shape", "parameters", "multiply-adds", "bytes/image")
TAKES = "takes"
"""The heading of what the layers of a network that branches take."""


def summary(network: Network, omitted: int = 0) -> Table:
    """The layers of a built network: output shape, parameters, multiply-adds and memory.

    Fused layers have one row. Among the parameters are those that are not trained, such as moving
    averages; how many, is said below the table. Multiply-adds are those of the forward pass of one
    image. Memory is the bytes per image of a batch that a training step keeps: outputs, gradients,
    and what the gradients need, such as patches or the positions of maxima. Where the network
    branches, a row has the names of the layers whose outputs the layer takes.

    Args:
        network: it is built.
        omitted: rows at the end to leave out.
    """
    lane = network.replica.lane
    layers = lane.layers[: len(lane.layers) - omitted]
    texts = [(each.name.replace("+", "\n+ "), str(each.output_shape)) for each in layers]
    costs = list(islice(_costs(lane), len(layers)))
    totals = "total", "", *(sum(column) for column in zip(*costs, strict=True))
    rows: list[tuple[Cell, ...]] = [(*t, *counts) for t, counts in zip(texts, costs, strict=True)]
    title = (
        f"{network.name}: input {network.input_shape}, {network.dtype.name}, on "
        f"{network.backend.device}"
    )
    if network.graph.is_chain:
        return Table(title, HEADINGS, rows, totals, _note(network))
    taken = islice(_taken(lane.stretches), len(layers))
    rows = [(*row, names) for row, names in zip(rows, taken, strict=True)]
    return Table(title, (*HEADINGS, TAKES), rows, (*totals, ""), _note(network))


def _costs(lane: Lane) -> Iterator[tuple[int, int, int]]:
    """The numbers of each layer of a lane: parameters, multiply-adds and memory."""
    for number, stretch in enumerate(lane.stretches):
        for layer in stretch.layers:
            memory = memory_per_image(layer)
            if layer is stretch.layers[-1] and number in lane.totals.buffers:
                memory += lane.totals.buffers[number].size(layer.real)
            yield parameter_count(layer), layer.multiply_adds(), memory


def _taken(stretches: Sequence[Stretch]) -> Iterator[str]:
    """For each layer of stretches the names of those whose outputs it takes."""
    names = {IMAGES: "input"}
    for number, stretch in enumerate(stretches):
        taken = ",\n".join(names[each] for each in stretch.inputs)
        for layer in stretch.layers:
            yield taken
            # of layers that are fused, the last one gives the output
            taken = names[number] = getattr(layer, "parts", (layer,))[-1].name


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
