"""A model as a table: the output shape and the cost of each layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpucnn.layers import Layer
from gpucnn.models.network import Network

if TYPE_CHECKING:
    from rich.table import Table


def print_summary(network: Network, layers: Sequence[Layer]) -> None:
    """Print a table of the layers: output shape, parameters, multiply-adds and memory.

    Fused layers have one row. Among the parameters are those that are not trained, such as moving
    averages; how many, is said below the table. Multiply-adds are those of the forward pass of one
    image. Memory is the bytes per image of a batch that a training step keeps: outputs, gradients,
    and what the gradients need, such as patches or the positions of maxima.
    """
    from rich.console import Console  # imported here: `import gpucnn` stays light

    Console().print(_table(network, layers))


def memory_per_image(layer: Layer) -> int:
    """The layer's bytes of buffers for each image of a batch in training."""
    buffers = layer.inference_buffers() | layer.training_buffers()
    return sum(buffer.size(layer.real) for buffer in buffers.values())


def parameter_count(layer: Layer) -> int:
    """The number of parameters of the layer, state that is not trained among them, as in Keras."""
    return sum(values.size for values in layer.parameters.values()) + layer.state.size


def _table(network: Network, layers: Sequence[Layer]) -> "Table":
    from rich.table import Table

    rows = [
        (
            layer.name.replace("+", "\n+ "),
            str(layer.output_shape),
            parameter_count(layer),
            layer.multiply_adds(),
            memory_per_image(layer),
        )
        for layer in layers
    ]
    totals = [sum(column) for column in list(zip(*rows, strict=True))[2:]]
    table = Table(
        title=f"{network.name}: input {network.input_shape}, {network.dtype.name}, on "
        f"{network.backend.device}",
        caption=_caption(network),
        show_footer=True,
    )
    table.add_column("layer", "total")
    table.add_column("output shape")
    for heading, total in zip(("parameters", "multiply-adds", "bytes/image"), totals, strict=True):
        table.add_column(heading, f"{total:,}", justify="right")
    for name, shape, *numbers in rows:
        table.add_row(name, shape, *(f"{number:,}" for number in numbers))
    return table


def _caption(network: Network) -> str | None:
    replica = network.replica
    trained, kept = replica.parameters.size, replica.state.size
    return f"{trained:,} parameters are trained, {kept:,} are not" if kept else None
