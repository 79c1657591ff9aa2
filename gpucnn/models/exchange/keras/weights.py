"""The weights of a model, as Keras lays them out in files."""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidValueError
from gpucnn.layers import Layer, Normalization
from gpucnn.models.exchange.imported import Imported
from gpucnn.models.exchange.keras.architecture import Node, group_names
from gpucnn.models.exchange.keras.files import KerasFile
from gpucnn.models.exchange.keras.from_keras import imported_of_file
from gpucnn.models.exchange.keras.to_config import kind_in_keras
from gpucnn.models.graph import IMAGES, Graph

Arrays = list[NDArray[Any]]


def nodes_of(layers: Sequence[Layer], graph: Graph) -> Iterator[tuple[Layer, Node]]:
    """Each layer with what it is in Keras, its arguments left out.

    Args:
        layers: of a model, in order.
        graph: which of them take whose outputs.

    Raises:
        InvalidTypeError: one is not of the library.
    """
    order = order_in_keras(graph)
    kinds = [kind_in_keras(layer) for layer in layers]
    groups = dict(zip(order, group_names(kinds[number] for number in order), strict=True))
    for number, (layer, kind) in enumerate(zip(layers, kinds, strict=True)):
        yield layer, Node(kind, {}, (layer.name,), f"layers/{groups[number]}")


def order_in_keras(graph: Graph) -> list[int]:
    """The order in which Keras has the layers of a functional model, by their numbers.

    First come those from which the longest way leads to the output; of several, that which one
    meets first on the way back from it.
    """
    last = len(graph.inputs) - 1
    met: dict[int, None] = {}
    left = [last]
    while left:
        number = left.pop()
        if number != IMAGES and number not in met:
            met[number] = None
            left += reversed(graph.inputs[number])
    ways = dict.fromkeys(met, 0)
    for number in range(last, IMAGES, -1):
        for each in graph.inputs[number]:
            if each != IMAGES:
                ways[each] = max(ways[each], ways[number] + 1)
    return sorted(met, key=lambda number: -ways[number])


def weights_in(file: KerasFile, layers: Sequence[Layer], graph: Graph) -> Arrays:
    """The weights of a model, in order, that a file of Keras has.

    Args:
        file: of weights alone, or of a model.
        layers: of the model, built.
        graph: which of them take whose outputs.

    Raises:
        InvalidTypeError: a layer is not one of the library's.
        InvalidValueError: the file has not the variables of these layers, or a layer was adapted to
            other images there.
    """
    if file.model is not None:
        return _of_model(imported_of_file(file), layers, graph)
    found: Arrays = []
    for layer, node in nodes_of(layers, graph):
        if isinstance(layer, Normalization):
            _check_adapted(layer, file.variables_of(node))
        elif layer.has_parameters:
            found += file.variables_of(node)
    return found


def _of_model(imported: Imported, layers: Sequence[Layer], graph: Graph) -> Arrays:
    """The weights of a model that a file has, if its layers were adapted to the same images.

    They are in the order of the layers, which are matched by that in which Keras has them.
    """
    theirs, mine = (
        [each for each in group if isinstance(each, Normalization)]
        for group in (imported.layers, layers)
    )
    for layer, other in zip(mine, theirs, strict=False):
        _check_adapted(layer, (other.mean, other.variance))
    in_file = imported.graph or Graph.of_chain(imported.layers)
    weights = [imported.weights[number] for number in order_in_keras(in_file)]
    order = [number for number in order_in_keras(graph) if layers[number].has_parameters]
    of_layers = zip(order, filter(None, weights), strict=False)
    return [array for _, arrays in sorted(of_layers, key=itemgetter(0)) for array in arrays]


def _check_adapted(layer: Normalization, variables: Sequence[Any]) -> None:
    """Check that a layer has the mean and the variance that a file has, if it has them.

    Raises:
        InvalidValueError: it has others.
    """
    mine: tuple[Any, Any] = layer.mean, layer.variance
    for own, other in zip(mine, variables[: len(mine)], strict=False):
        if not np.allclose(own, other, rtol=1e-6):
            raise InvalidValueError(
                f"{layer.name} was adapted to other images: make it with the mean and the variance "
                "of the file"
            )
