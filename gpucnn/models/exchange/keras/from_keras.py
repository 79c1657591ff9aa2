"""A model out of the configuration of a Keras model, and the values of its variables."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.layers import Layer
from gpucnn.models.checkpoint import count_parameters
from gpucnn.models.exchange.imported import Imported
from gpucnn.models.exchange.keras.architecture import Architecture, Config, Node, architecture_of
from gpucnn.models.exchange.keras.compiled import compiled_of
from gpucnn.models.exchange.keras.files import KerasFile, VariablesOf
from gpucnn.models.exchange.keras.from_config import KINDS, layer_of
from gpucnn.models.graph import IMAGES, Graph
from gpucnn.utils.warn import warn


def imported_of_file(file: KerasFile) -> Imported:
    """A model of a file, with the errors and the warning of `imported_of`."""
    if file.model is None:
        raise InvalidValueError(
            "it has weights alone: make the model of its layers, and give it to load_weights"
        )
    imported = imported_of(file.model, file.compiled, file.variables_of)
    return replace(imported, metadata=file.metadata)


def imported_of_model(model: Any) -> Imported:
    """A model that is an object of Keras, with the errors and the warning of `imported_of`.

    Raises:
        InvalidTypeError: it is none, or not as Keras 3 has them.
    """

    def variables_of(node: Node) -> Sequence[NDArray[Any]]:
        layer = model
        for name in node.names:
            layer = layer.get_layer(name)
        return [_real(np.asarray(each)) for each in layer.get_weights()]

    try:
        _check_once([layer.name for layer in model.layers])
        config = json.loads(model.to_json())
        return imported_of(config, config.get("compile_config"), variables_of)
    except (InvalidTypeError, InvalidValueError):
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidTypeError(
            f"the model is of the type {type(model).__name__}, and cannot be read "
            f"({printable(repr(error))}): give a model of Keras 3"
        ) from error


def _check_once(names: Sequence[str]) -> None:
    """Check that no layer is used twice, which the configuration of a model may not tell."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidValueError(
            f"{printable(', '.join(twice), 100)} is used twice, but layers of gpucnn have weights "
            "of their own: make another layer"
        )


def _real(values: NDArray[Any]) -> NDArray[Any]:
    """Values as numbers of NumPy, which bfloat16 is none of."""
    return values.astype(np.float32) if values.dtype.kind == "V" else values


def imported_of(model: Config, compiled: Config | None, variables_of: VariablesOf) -> Imported:
    """A model of gpucnn's layers, with the weights.

    Args:
        model: the configuration of the model.
        compiled: that of what it was compiled with; None if it is not known.
        variables_of: gives the values of the variables of a layer, in order.

    Raises:
        InvalidValueError: the model is not of layers that gpucnn has, from one input to one output,
            or is not built, or has other numbers of weights than its layers.

    Warns:
        GpucnnWarning: layers are not trained in Keras; here all are.
    """
    of = architecture_of(model)
    _warn_of_frozen(of)
    layers, weights, graph = _layers(of, variables_of)
    held = sum(array.size for arrays in weights for array in arrays)
    count = count_parameters(layers, of.input_shape, graph)
    if count != held:  # checked before memory for the parameters is allocated
        raise InvalidValueError(f"its layers have {count:,} parameters, but there are {held:,}")
    if count == 0:
        raise InvalidValueError("it has no layers with parameters")
    is_double = any(array.dtype == np.float64 for arrays in weights for array in arrays)
    dtype = "float64" if is_double else "float32"
    made_for = compiled_of(compiled, layers)
    joined = None if graph.is_chain else graph
    return Imported(layers, weights, of.input_shape, of.name, dtype, made_for, graph=joined)


def _layers(
    of: Architecture, variables_of: VariablesOf
) -> tuple[list[Layer], list[list[NDArray[Any]]], Graph]:
    """The layers, not built, the weights of each, and which take whose outputs.

    Of layers in models within the model, of which two may have one name, the second has none.
    """
    layers: list[Layer] = []
    weights: list[list[NDArray[Any]]] = []
    inputs: list[tuple[int, ...]] = []
    numbers = {IMAGES: IMAGES}  # of the layers that give what the nodes do
    for number, node in enumerate(of.nodes):
        found = layer_of(node, variables_of(node) if _has_variables(node) else ())
        taken = tuple(numbers[each] for each in node.inputs)
        if found is None:
            numbers[number] = taken[0]
        else:
            layer, values = found
            if any(layer.given_name == each.given_name for each in layers):
                layer.name = None
            if len(taken) > 1 and not layer.is_merging:
                raise InvalidValueError(
                    f"{printable(node.name, 50)} takes {len(taken)} outputs of other layers, but "
                    "in gpucnn Add and Concatenate alone take several"
                )
            numbers[number] = len(layers)
            layers.append(layer)
            weights.append(list(values))
            inputs.append(taken)
    return layers, weights, Graph(tuple(inputs))


def _has_variables(node: Node) -> bool:
    return node.kind == "Normalization" or getattr(KINDS.get(node.kind), "has_parameters", False)


def _warn_of_frozen(of: Architecture) -> None:
    frozen = [node.name for node in of.nodes if node.config.get("trainable") is False]
    if frozen:
        warn(
            f"{printable(', '.join(frozen))} of {printable(of.name, 50)} are not trained in Keras, "
            "but here all layers are"
        )
