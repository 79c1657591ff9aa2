"""A layer, out of the configuration that Keras has of it."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from gpucnn import layers
from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.layers import LAYERS, Activation, Layer
from gpucnn.layers.initializers import INITIALIZERS
from gpucnn.models.exchange.keras.architecture import Config, Node
from gpucnn.regularizers import L2
from gpucnn.utils import arguments
from gpucnn.utils.keras.names import advice_on

Values = Sequence[NDArray[Any]]

KINDS: dict[str, Any] = {
    **{each.__name__: each for each in LAYERS},
    "Activation": Activation,
    "MaxPooling2D": layers.MaxPooling2D,
}
"""The layers by the names of their classes in Keras."""

OF_THE_MODEL = ("autocast", "batch_shape", "dtype", "seed", "trainable")
"""Arguments of layers that gpucnn's models have, or that concern past training."""

KERNELS = ("kernel_initializer", "depthwise_initializer", "pointwise_initializer")


def layer_of(node: Node, values: Values) -> tuple[Layer, Values] | None:
    """A layer of gpucnn, not built, and its weights; None for one that changes nothing.

    Args:
        node: the layer in Keras.
        values: of its variables there, in order.

    Raises:
        InvalidValueError: gpucnn has no such layer.
        KeyError, TypeError, ValueError, IndexError, AttributeError: it is not a configuration.
    """
    if _changes_nothing(node):
        return None
    if node.kind not in KINDS:
        advice = advice_on("gpucnn.layers", node.kind) or "save a model without it"
        raise InvalidValueError(
            f"{printable(node.name, 50)} is of the class {printable(node.kind, 50)}, which gpucnn "
            f"has not: {advice}"
        )
    try:
        given = _arguments(node.config)
        if node.kind == "Normalization" and values:  # adapted to images
            given["mean"], given["variance"] = (each.tolist() for each in values[:2])
            values = ()
        if node.kind == "RandomShear":
            given = {name: _shear(value) for name, value in given.items()}
        return KINDS[node.kind](**given), values
    except (InvalidTypeError, InvalidValueError) as error:
        raise InvalidValueError(f"of the layer {printable(node.name, 50)}, {error}") from error


def _changes_nothing(node: Node) -> bool:
    is_linear = node.kind == "Activation" and node.config["activation"] == "linear"
    return node.kind == "Identity" or is_linear


def _arguments(config: Config) -> dict[str, Any]:
    """The arguments of a layer that it has here too, or whose values it is to refuse."""
    given: dict[str, Any] = {}
    for name, value in config.items():
        if name.endswith("_initializer"):
            known = _initializer(value) if name in KERNELS else None
            given |= {} if known is None else {name: known}
        elif name not in OF_THE_MODEL:
            given[name] = _argument(name, value)
    return given


def _argument(name: str, value: Any) -> Any:
    if name == "activation":
        return _activation(value)
    if name.endswith("_regularizer"):
        return _regularizer(name, value)
    if name == "axis" and isinstance(value, list) and len(value) <= 1:
        return value[0] if value else None  # which Keras writes as no axis
    return _plain(value)


def _plain(value: Any) -> Any:
    """A value, with tuples for lists, and numbers for arrays."""
    if isinstance(value, dict) and value.get("class_name") in ("__numpy__", "__tensor__"):
        value = value["config"]["value"]
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _shear(value: Any) -> Any:
    """An argument of RandomShear: a number as that, which Keras writes as a range around 0."""
    return value[1] if isinstance(value, tuple) and value[0] == -value[1] else value


def _initializer(value: Any) -> str | None:
    """The name of an initializer; None for one that gpucnn has not, since weights are there."""
    name = value.get("class_name") if isinstance(value, dict) else value
    try:
        return arguments.name_of(name, "initializer", tuple(INITIALIZERS))
    except InvalidValueError:
        return None


def _regularizer(name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kind, config = value["class_name"], value["config"]
    if kind not in ("L2", "L1L2") or config.get("l1", 0) != 0:
        raise InvalidValueError(f"{name} is {printable(kind, 50)}, but gpucnn has L2 alone")
    return L2(config["l2"])


def _activation(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value["class_name"] == "function":
        return value["config"]
    found = layer_of(Node(value["class_name"], value["config"], ("activation",), ""), ())
    return None if found is None else found[0]
