"""A model as Keras describes it, as a Keras model, and as its files."""

import json
from collections.abc import Sequence
from io import BytesIO
from itertools import count
from typing import Any
from zipfile import ZipFile, ZipInfo

from numpy.typing import NDArray

from gpucnn.backends import Shape
from gpucnn.errors import GpucnnError, InvalidValueError, printable
from gpucnn.layers import Layer
from gpucnn.layers.ends import ends_in_softmax
from gpucnn.models.exchange.exported import Exported
from gpucnn.models.exchange.keras.files import CONFIG, METADATA, WEIGHTS
from gpucnn.models.exchange.keras.hdf5 import h5py
from gpucnn.models.exchange.keras.to_config import config_of, in_keras
from gpucnn.models.exchange.keras.weights import nodes_of, order_in_keras

VERSION = {"keras_version": "3.0.0"}
"""Of the format, which Keras has not changed since."""

Arrays = Sequence[NDArray[Any]]


def to_model(exported: Exported) -> Any:
    """A `keras.Sequential`, or a functional model, with the weights.

    Raises:
        InvalidTypeError: a layer is not one of the library's.
        InvalidValueError: a layer has a name that Keras does not take.
        GpucnnError: Keras is not installed.
    """
    try:
        import keras
    except ImportError as error:
        raise GpucnnError(
            "a model of Keras needs the package keras, and a backend of it, which is not "
            "installed: pip install keras torch, or keras jax"
        ) from error
    made = keras.saving.deserialize_keras_object(config_of_model(exported))
    for layer, variables in _variables(exported):
        made.get_layer(layer.name).set_weights(variables)
    return made


def to_archive(exported: Exported) -> bytes:
    """The content of a `.keras` file, with the errors of `config_of_model` and `to_hdf5`.

    The names of the classes are in the metadata, which Keras does not read.
    """
    parts = {
        METADATA: json.dumps(VERSION | exported.metadata.entries()).encode(),
        CONFIG: json.dumps(config_of_model(exported)).encode(),
        WEIGHTS: to_hdf5(exported),
    }
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        for name, part in parts.items():
            archive.writestr(ZipInfo(name), part)  # of no date, so that equal models are equal
    return content.getvalue()


def to_hdf5(exported: Exported) -> bytes:
    """The content of a `.weights.h5` file.

    Raises:
        InvalidTypeError: a layer is not one of the library's.
        MissingExtraError: the package h5py is not installed.
    """
    content = BytesIO()
    with h5py().File(content, "w") as file:
        file.create_group("vars").attrs["name"] = exported.name
        variables = {layer.name: arrays for layer, arrays in _variables(exported)}
        for layer, node in nodes_of(exported.layers, exported.graph):
            group = file.create_group(f"{node.group}/vars")
            group.attrs["name"] = layer.name
            for number, array in enumerate(variables.get(layer.name, ())):
                group[str(number)] = array
    return content.getvalue()


def config_of_model(exported: Exported) -> dict[str, Any]:
    """The configuration of a model, as `keras.saving.serialize_keras_object` gives it.

    It is that of a `keras.Sequential`, or of a functional model if the layers branch.

    Raises:
        InvalidTypeError: a layer is not one of the library's.
        InvalidValueError: a layer has a name that Keras does not take.
    """
    names = [layer.name for layer in exported.layers]
    for name in names:
        if "/" in name:
            raise InvalidValueError(
                f"the name {printable(name, 50)} has a slash, which Keras does not take: give the "
                "layer another"
            )
    given = {"batch_shape": [None, *exported.input_shape], "name": _free("input_layer", names)}
    layers = [in_keras("layers", "InputLayer", given), *map(config_of, exported.layers)]
    if exported.softmax and not ends_in_softmax(exported.layers):
        layers.append(in_keras("layers", "Softmax", {"name": _free("softmax", names)}))
    for each in layers:
        each["config"]["dtype"] = exported.dtype
    if not exported.graph.is_chain:
        return _functional(exported, layers)
    return in_keras("", "Sequential", {"name": exported.name, "layers": layers})


FUNCTIONAL = {
    "module": "keras.src.models.functional",
    "class_name": "Functional",
    "registered_name": "Functional",
}
"""What Keras writes of the class of such models."""


def _functional(exported: Exported, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """The configuration of a functional model.

    Args:
        exported: the model.
        layers: their configurations, that of the input first, and perhaps that of a softmax last.
    """
    running = (each.unrolled() for each in exported.layers)  # none of a softmax, which is the last
    shapes = [exported.input_shape, *(each[-1].output_shape for each in running if each)]
    names = [each["config"]["name"] for each in layers]
    named = zip(names, shapes, strict=False)
    tensors = [_tensor(name, shape, exported.dtype) for name, shape in named]
    inputs = [(), *exported.graph.inputs, (len(exported.layers) - 1,)]
    for layer, name, numbers in zip(layers, names, inputs, strict=False):
        given = [tensors[number + 1] for number in numbers]  # of which the images are number 0
        args = [given] if len(given) > 1 else given
        layer |= {"name": name, "inbound_nodes": [{"args": args, "kwargs": {}}] if given else []}
    order = [0, *(number + 1 for number in order_in_keras(exported.graph))]
    ordered = [layers[number] for number in order] + layers[len(order) :]
    ends = {"input_layers": [names[0], 0, 0], "output_layers": [names[-1], 0, 0]}
    return FUNCTIONAL | {"config": {"name": exported.name, "layers": ordered, **ends}}


def _tensor(name: str, shape: Shape, dtype: str) -> dict[str, Any]:
    """The output of a layer, as Keras writes it."""
    config = {"shape": [None, *shape], "dtype": dtype, "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def _free(name: str, taken: Sequence[str]) -> str:
    """A name that no layer has."""
    names = (f"{name}_{number}" for number in count(1))
    return name if name not in taken else next(each for each in names if each not in taken)


def _variables(exported: Exported) -> list[tuple[Layer, Arrays]]:
    """The layers that have weights, with these."""
    found: list[tuple[Layer, Arrays]] = []
    for layer in exported.layers:
        parts = (exported.weights_of(part) for part in layer.unrolled())
        arrays = [array for part in parts for array in part.values()]
        if arrays:
            found.append((layer, arrays))
    return found
