"""The configuration that Keras has of a layer."""

from typing import Any

from gpucnn.layers import (
    GELU,
    LAYERS,
    Cropping2D,
    Layer,
    MaxPool2D,
    Normalization,
    RandomCrop,
    Sigmoid,
    SiLU,
    Tanh,
)
from gpucnn.models.exchange.exported import check_is_known
from gpucnn.regularizers import L2

ACTIVATIONS: dict[type[Layer], str] = {GELU: "gelu", SiLU: "silu", Tanh: "tanh", Sigmoid: "sigmoid"}
"""Layers that Keras has as functions alone, by their names there."""

OF_OTHER_NAMES: dict[type[Layer], str] = {
    MaxPool2D: "MaxPooling2D",
    RandomCrop: Cropping2D.__name__,  # since Keras's RandomCrop cuts nothing off in use
}
"""Layers whose classes in Keras have other names."""


def kind_in_keras(layer: Layer) -> str:
    """The name of the class of a layer in Keras.

    Raises:
        InvalidTypeError: it is not one of the library's.
    """
    check_is_known(layer, LAYERS, "which Keras has not: give a model of gpucnn's layers")
    if type(layer) in ACTIVATIONS:
        return "Activation"
    return OF_OTHER_NAMES.get(type(layer), type(layer).__name__)


def config_of(layer: Layer) -> dict[str, Any]:
    """The configuration of a layer, as `keras.saving.deserialize_keras_object` takes it.

    Raises:
        InvalidTypeError: it, or its activation, is not one of the library's.
    """
    if type(layer) in ACTIVATIONS:
        config: dict[str, Any] = {"activation": ACTIVATIONS[type(layer)]}
    elif isinstance(layer, RandomCrop):
        config = {"cropping": layer.cropping}
    else:
        config = {name: _in_keras(value) for name, value in layer.get_config().items()}
        if isinstance(layer, Normalization):
            config |= _of_axis(layer)
    return in_keras("layers", kind_in_keras(layer), {"name": layer.name, **config})


def in_keras(module: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of an object of a class in a module of Keras."""
    module = f"keras.{module}" if module else "keras"
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def _of_axis(layer: Normalization) -> dict[str, Any]:
    """The axis, and as many numbers as Keras takes with it: one for each channel, or for all."""
    numbers = {"mean": layer.mean, "variance": layer.variance}
    if layer.axis is None and all(isinstance(each, float) for each in numbers.values()):
        return {"axis": None, **numbers}
    channels = layer.input_shape[-1]
    spread = {
        name: [each] * channels if isinstance(each, float) else each
        for name, each in numbers.items()
    }
    return {"axis": -1, **spread}


def _in_keras(value: Any) -> Any:
    if isinstance(value, L2):
        return in_keras("regularizers", "L2", value.get_config())
    if isinstance(value, Layer):
        return config_of(value)
    return value
