"""The weights of a model, as Keras lays them out in files."""

from collections.abc import Iterator, Sequence
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

Arrays = list[NDArray[Any]]


def nodes_of(layers: Sequence[Layer]) -> Iterator[tuple[Layer, Node]]:
    """Each layer with what it is in Keras, its arguments left out.

    Raises:
        InvalidTypeError: one is not of the library.
    """
    kinds = [kind_in_keras(layer) for layer in layers]
    for layer, kind, group in zip(layers, kinds, group_names(kinds), strict=True):
        yield layer, Node(kind, {}, (layer.name,), f"layers/{group}")


def weights_in(file: KerasFile, layers: Sequence[Layer]) -> Arrays:
    """The weights of a model, in order, that a file of Keras has.

    Args:
        file: of weights alone, or of a model.
        layers: of the model, built.

    Raises:
        InvalidTypeError: a layer is not one of the library's.
        InvalidValueError: the file has not the variables of these layers, or a layer was adapted to
            other images there.
    """
    if file.model is not None:
        return _of_model(imported_of_file(file), layers)
    found: Arrays = []
    for layer, node in nodes_of(layers):
        if isinstance(layer, Normalization):
            _check_adapted(layer, file.variables_of(node))
        elif layer.has_parameters:
            found += file.variables_of(node)
    return found


def _of_model(imported: Imported, layers: Sequence[Layer]) -> Arrays:
    """The weights of a model that a file has, if its layers were adapted to the same images."""
    theirs, mine = (
        [each for each in group if isinstance(each, Normalization)]
        for group in (imported.layers, layers)
    )
    for layer, other in zip(mine, theirs, strict=False):
        _check_adapted(layer, (other.mean, other.variance))
    return [array for arrays in imported.weights for array in arrays]


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
