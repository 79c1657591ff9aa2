"""The layers of a Keras model in a row, out of the configuration in which Keras saves it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpucnn.backends import Shape
from gpucnn.errors import InvalidValueError, printable

Config = Mapping[str, Any]

MOST_NESTED = 20
"""Models within models."""


@dataclass(frozen=True)
class Node:
    """A layer of a Keras model.

    Args:
        kind: the name of its class.
        config: the arguments of its constructor.
        names: of the models within the model that it is in, if any, and of itself.
        group: where its variables are in a file of weights, such as "layers/conv2d_1".
    """

    kind: str
    config: Config
    names: tuple[str, ...]
    group: str

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.names[-1]


@dataclass(frozen=True)
class Architecture:
    """What a configuration says of a model.

    Args:
        name: of the model.
        nodes: its layers in order, those of models within it among them, without those of inputs.
        input_shape: of one image.
    """

    name: str
    nodes: list[Node]
    input_shape: Shape


def architecture_of(model: Config) -> Architecture:
    """The layers of a model that is a chain of layers, of models of layers included.

    Args:
        model: the configuration, as `keras.saving.serialize_keras_object` gives it.

    Raises:
        InvalidValueError: it is no chain, or the shape of its images is not known.
        KeyError, TypeError, ValueError, IndexError, AttributeError: it is not a configuration.
    """
    kind = _kind(model)
    if kind not in MODELS:
        raise InvalidValueError(f"it is of the class {printable(kind, 50)}, but {ONE_CHAIN}")
    nodes = list(_nodes(model, (), ""))
    shape = next(_shapes(model, nodes), None)
    if shape is None:
        raise InvalidValueError("it is not built, so that the shape of its images is not known")
    if not all(type(size) is int and size > 0 for size in shape):
        raise InvalidValueError(
            f"its images have the shape {printable(tuple(shape))}: build it with one of numbers"
        )
    layers = [node for node in nodes if node.kind != INPUT]
    return Architecture(str(model["config"]["name"]), layers, tuple(shape))


# Inputs

INPUT = "InputLayer"


def _shapes(model: Config, nodes: Sequence[Node]) -> Iterator[Shape]:
    """The shapes of one image that a model and its first layer tell, the first of them to use."""
    first = nodes[0].config if nodes else {}
    for config in (first, model["config"]):
        for name in ("batch_shape", "build_input_shape"):
            if config.get(name):
                yield config[name][1:]


# Chains


def _nodes(model: Config, names: tuple[str, ...], group: str) -> Iterator[Node]:
    """The layers of a model in order.

    Args:
        model: the configuration.
        names: of the models that it is within, and its own, but that of the outermost.
        group: where its variables are, with a slash at the end; "" for the outermost.
    """
    if len(names) > MOST_NESTED:
        raise InvalidValueError(f"more than {MOST_NESTED} models are within each other")
    layers = model["config"]["layers"]
    groups = list(group_names(str(each["class_name"]) for each in layers))
    order = range(len(layers)) if _kind(model) == "Sequential" else _chain(model["config"])
    for index in order:
        layer, of_layer = layers[index], f"{group}layers/{groups[index]}"
        kind, config = _kind(layer), layer["config"]
        inner = (*names, str(config["name"]))
        if kind in MODELS:
            yield from _nodes(layer, inner, f"{of_layer}/")
        else:
            yield Node(kind, config, inner, of_layer)


MODELS = ("Sequential", "Functional")
"""The classes of models that may be chains."""


def _kind(layer: Config) -> str:
    """The name of the class of a layer, or a model, of Keras.

    Raises:
        InvalidValueError: it is not one of Keras's.
    """
    kind, module = str(layer["class_name"]), layer.get("module") or "keras"
    if layer.get("registered_name") not in (None, kind) or module.partition(".")[0] != "keras":
        raise InvalidValueError(
            f"{printable(layer['config'].get('name'), 50)} is of the class {printable(kind, 50)}, "
            "its author's, which gpucnn does not know: save a model of Keras's layers"
        )
    return kind


def group_names(kinds: Iterable[str]) -> Iterator[str]:
    """What Keras calls the groups of variables of layers: by class, each another name."""
    taken: Counter[str] = Counter()
    for kind in kinds:
        name = snake_case(kind)
        yield f"{name}_{taken[name]}" if taken[name] else name
        taken[name] += 1


def snake_case(kind: str) -> str:
    """The name of a class as Keras writes it in names: "max_pooling2d" of MaxPooling2D."""
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()


def _chain(config: Config) -> list[int]:
    """The layers of a functional model in order, by their numbers in the configuration.

    Raises:
        InvalidValueError: it is no chain from one input to one output.
    """
    layers = config["layers"]
    numbers = {each["config"]["name"]: number for number, each in enumerate(layers)}
    followers: dict[str | None, list[str]] = {}
    for layer in layers:
        name = layer["config"]["name"]
        followers.setdefault(_before(layer, name), []).append(name)
    for name, after in followers.items():
        if len(after) > 1:
            raise InvalidValueError(
                f"{_listed(after)} follow {'no layer' if name is None else _listed([name])}, but "
                f"{ONE_CHAIN}"
            )
    order: list[str] = []
    name = None
    while name in followers and len(order) < len(layers):
        (name,) = followers[name]
        order.append(name)
    if len(order) < len(layers) or config["output_layers"] not in _ends(order[-1]):
        raise InvalidValueError(f"its layers are not a chain to its one output, but {ONE_CHAIN}")
    return [numbers[name] for name in order]


ONE_CHAIN = "a model of gpucnn is a chain of layers"


def _before(layer: Config, name: str) -> str | None:
    """The name of the layer whose output a layer of a functional model takes; None for an input."""
    calls = layer.get("inbound_nodes", [])
    if not calls and layer["class_name"] == INPUT:
        return None
    tensors = [tensor for call in calls for tensor in _tensors(call, name)]
    if len(tensors) != 1:
        raise InvalidValueError(
            f"{_listed([name])} takes {len(tensors)} outputs of other layers, but {ONE_CHAIN}"
        )
    return str(tensors[0])


def _tensors(call: Any, name: str) -> list[str]:
    """The names of the layers whose outputs a call of the layer `name` is given.

    Whether it is for training, Keras notes of each call, but decides anew when the model is called.

    Raises:
        InvalidValueError: it is given other arguments too.
    """
    options, given = dict(call["kwargs"]), call["args"]
    options.pop("training", None)
    tensors = given[0] if len(given) == 1 and isinstance(given[0], (list, tuple)) else given
    others = [each for each in tensors if not isinstance(each, Mapping)]
    others += [{key: value} for key, value in options.items() if value is not None]
    if others:
        raise InvalidValueError(
            f"{_listed([name])} is called with {printable(others[0], 50)}, but gpucnn's layers "
            "take their input alone: write it by others, such as Rescaling for a division"
        )
    return [each["config"]["keras_history"][0] for each in tensors]


def _ends(name: str) -> list[Any]:
    """How a configuration names the output of a layer, as the only one."""
    return [[name, 0, 0], [[name, 0, 0]]]


def _listed(names: Sequence[str]) -> str:
    return printable(" and ".join(map(str, names)), 100)
