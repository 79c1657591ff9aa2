"""Files of weights alone: gpucnn's, NumPy's, and those of other libraries."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.backends.ranks.world import is_leader
from gpucnn.errors import InvalidFileError, printable
from gpucnn.layers import Layer
from gpucnn.models.checkpoint import (
    KEY,
    KIND,
    SLOT,
    WEIGHTS,
    arrays_of,
    blaming,
    opened_safetensors,
    read_description,
    write_checkpoint,
)
from gpucnn.models.exchange.keras.files import is_of_keras, opened_file
from gpucnn.models.exchange.keras.weights import weights_in
from gpucnn.models.exchange.torch.layers import modules_of
from gpucnn.models.exchange.torch.state_dict import from_state_dict
from gpucnn.models.graph import Graph
from gpucnn.models.network import unroll
from gpucnn.models.pixels import Pixels, from_description, to_description
from gpucnn.models.training.divergence import check_finite_arrays
from gpucnn.utils.storage.files import write_bytes
from gpucnn.utils.storage.npz import SUFFIX, npz_bytes, read_npz

Arrays = dict[str, NDArray[Any]]


def save_weights(path: str | os.PathLike[str], weights: Arrays, pixels: Pixels | None) -> None:
    """Write the weights of a model, by name, with the errors of `Sequential.save_weights`."""
    check_finite_arrays(weights)
    if Path(path).suffix != SUFFIX:
        write_checkpoint(path, weights, {KIND: WEIGHTS, **to_description(pixels)})
    elif is_leader():
        write_bytes(Path(path), npz_bytes(weights))


def load_weights(
    path: str | os.PathLike[str],
    names: Sequence[str],
    layers: Sequence[Layer],
    graph: Graph,
    input_shape: Shape,
) -> tuple[list[NDArray[Any]], Pixels | None]:
    """The weights of a file of weights or of a model, and the pixels of its training images.

    Args:
        path: of the file.
        names: of the weights that it is to have, in order; those of its optimizer are left out.
        layers: of the model, built.
        graph: which of them take whose outputs.
        input_shape: of one image.

    Raises:
        InvalidFileError: it cannot be read, or has other weights. Shapes are not checked.
        InvalidTypeError: it is PyTorch's or Keras's, and a layer is not one of the library's.
        InvalidValueError: it is PyTorch's, and has not the tensors of these layers.
        GpucnnError: it is Keras's, and the package h5py is not installed.
    """
    if is_of_keras(path):
        with opened_file(path) as keras_file:
            return weights_in(keras_file, layers, graph), None
    if Path(path).suffix == SUFFIX:
        return _in_order(path, read_npz(Path(path), str(path)), names), None
    with opened_safetensors(path) as file:
        metadata, arrays = file.metadata() or {}, arrays_of(file)
    if KEY not in metadata:
        modules = modules_of(unroll(layers), graph.unrolled(layers), input_shape)
        weights = from_state_dict(modules, arrays)
        return [weights[name] for name in names], None
    description = read_description(path, metadata)
    with blaming(path):
        pixels = from_description(description)
    return _in_order(path, arrays, names), pixels


def _in_order(
    path: str | os.PathLike[str], arrays: Arrays, names: Sequence[str]
) -> list[NDArray[Any]]:
    """The arrays of names, in order, where others are of an optimizer alone.

    Raises:
        InvalidFileError: it is not so.
    """
    found = [name for name in arrays if name in names or not name.startswith(SLOT)]
    if set(found) != set(names):
        raise InvalidFileError(
            f"{path} has the weights {printable(', '.join(found))}, but the model has "
            f"{', '.join(names)}: give a file of a model with the same layers and names"
        )
    return [arrays[name] for name in names]
