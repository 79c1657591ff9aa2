"""The layers of a Keras model, out of the configuration in which Keras saves it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from typing import Any

from gpucnn.backends import Shape
from gpucnn.errors import InvalidValueError, printable
from gpucnn.models.graph import IMAGES

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
        inputs: the numbers of the nodes whose outputs it takes, or `IMAGES`.
    """

    kind: str
    config: Config
    names: tuple[str, ...]
    group: str
    inputs: tuple[int, ...] = (IMAGES,)

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
            The last one gives the output.
        input_shape: of one image.
    """

    name: str
    nodes: list[Node]
    input_shape: Shape


def architecture_of(model: Config) -> Architecture:
    """The layers of a model of one input and one output, of models within it included.

    Args:
        model: the configuration, as `keras.saving.serialize_keras_object` gives it.

    Raises:
        InvalidValueError: it is none such, or the shape of its images is not known.
        KeyError, TypeError, ValueError, IndexError, AttributeError: it is not a configuration.
    """
    kind = _kind(model)
    if kind not in MODELS:
        raise InvalidValueError(
            f"it is of the class {printable(kind, 50)}: give a Sequential or functional model"
        )
    reading = _Reading()
    reading.read(model, (), "", IMAGES)
    shape = next(_shapes(model, reading.first or {}), None)
    if shape is None:
        raise InvalidValueError("it is not built, so that the shape of its images is not known")
    if not all(type(size) is int and size > 0 for size in shape):
        raise InvalidValueError(
            f"its images have the shape {printable(tuple(shape))}: build it with one of numbers"
        )
    return Architecture(str(model["config"]["name"]), reading.nodes, tuple(shape))


# Inputs

INPUT = "InputLayer"


def _shapes(model: Config, first: Config) -> Iterator[Shape]:
    """The shapes of one image that a model and its first layer tell, the first of them to use."""
    for config in (first, model["config"]):
        for name in ("batch_shape", "build_input_shape"):
            if config.get(name):
                yield config[name][1:]


# Layers of models


class _Reading:
    """A model that is read, from its input on, layer by layer.

    Attributes:
        nodes: the layers, in an order in which each comes after those whose outputs it takes.
        first: the arguments of the very first layer, which may be that of the input.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.first: Config | None = None

    def read(self, model: Config, names: tuple[str, ...], group: str, given: int) -> int:
        """Read a model, or one within it.

        Args:
            model: the configuration.
            names: of the models that it is within, and its own, but that of the outermost.
            group: where its variables are, with a slash at the end; "" for the outermost.
            given: the number of the node that gives its input, or `IMAGES`.

        Returns:
            The number of the node that gives its output.
        """
        if len(names) > MOST_NESTED:
            raise InvalidValueError(f"more than {MOST_NESTED} models are within each other")
        config = model["config"]
        layers = config["layers"]
        groups = list(group_names(str(each["class_name"]) for each in layers))
        is_chain = _kind(model) == "Sequential"
        before = _in_a_row(layers) if is_chain else _befores(config)
        outputs: dict[str, int] = {}
        numbers = {str(each["config"]["name"]): number for number, each in enumerate(layers)}
        for name in before:
            inputs = tuple(outputs[each] for each in before[name]) or (given,)
            number = numbers[name]
            of_layer = f"{group}layers/{groups[number]}"
            outputs[name] = self._read_layer(layers[number], (*names, name), of_layer, inputs)
        return outputs[name] if outputs else given

    def _read_layer(
        self, layer: Config, names: tuple[str, ...], group: str, inputs: tuple[int, ...]
    ) -> int:
        kind, config = _kind(layer), layer["config"]
        if kind not in MODELS and self.first is None:
            self.first = config
        if kind == INPUT:
            return inputs[0]
        if kind in MODELS:
            if len(inputs) > 1:
                raise InvalidValueError(f"{_listed(names[-1:])} is a model of several inputs")
            return self.read(layer, names, f"{group}/", inputs[0])
        self.nodes.append(Node(kind, config, names, group, inputs))
        return len(self.nodes) - 1


MODELS = ("Sequential", "Functional")
"""The classes of models whose configurations tell of their layers."""


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


def _in_a_row(layers: Sequence[Config]) -> dict[str, tuple[str, ...]]:
    """As `_befores`, of layers each of which takes the output of the one before it."""
    names = [str(each["config"]["name"]) for each in layers]
    return {name: tuple(names[max(number - 1, 0) : number]) for number, name in enumerate(names)}


def _befores(config: Config) -> dict[str, tuple[str, ...]]:
    """The layers of a functional model whose outputs each takes, none for that of the input.

    They are in an order in which each comes after those, and the last one gives the output.

    Raises:
        InvalidValueError: it has not one input and one output, to which all layers lead.
    """
    before = {str(each["config"]["name"]): _before(each) for each in config["layers"]}
    if any(name not in before for names in before.values() for name in names):
        raise InvalidValueError("its layers take outputs of layers that it has not")
    inputs = [name for name, names in before.items() if not names]
    if len(inputs) != 1:
        raise InvalidValueError(
            f"it has {len(inputs)} inputs ({_listed(inputs)}), but a model of gpucnn has one"
        )
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        raise InvalidValueError("its layers take the outputs of one another in a circle") from None
    used = set(chain.from_iterable(before.values()))
    unused = [name for name in before if name not in used]
    if len(unused) != 1 or config["output_layers"] not in _ends(unused[0]):
        raise InvalidValueError(
            f"its layers end in {_listed(unused)}, and its outputs are "
            f"{printable(config['output_layers'], 50)}, but a model of gpucnn has one output, to "
            "which all layers lead"
        )
    return {name: before[name] for name in order}


def _before(layer: Config) -> tuple[str, ...]:
    """The names of the layers whose outputs a layer of a functional model takes."""
    name, calls = layer["config"]["name"], layer.get("inbound_nodes", [])
    if not calls and layer["class_name"] == INPUT:
        return ()
    if len(calls) != 1:
        raise InvalidValueError(
            f"{_listed([name])} is called {len(calls)} times, but a layer of gpucnn once: make "
            "another for each call"
        )
    return tuple(_tensors(calls[0], name))


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
