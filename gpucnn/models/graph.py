"""Networks as graphs: which layers take the outputs of which.

A network is run as stretches: maximal sequences of layers each of which alone takes the output of
the one before. A chain is a single stretch, and what can be done with consecutive layers, such as
fusing them, is done within a stretch.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from gpucnn.backends import Shape
from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.layers import Input, Layer, MixingLayer
from gpucnn.layers.tensor import Tensor
from gpucnn.utils import arguments

IMAGES = -1
"""The images, where other numbers are those of layers, or of stretches."""


class Stretch(NamedTuple):
    """Consecutive layers, each of which alone takes the output of the one before.

    Attributes:
        layers: in order; the first may be a `MergingLayer`.
        inputs: the numbers of the stretches whose outputs the first layer takes, or `IMAGES`.
    """

    layers: tuple[Layer, ...]
    inputs: tuple[int, ...] = (IMAGES,)


@dataclass(frozen=True)
class Graph:
    """Which layers of a model take whose outputs.

    Args:
        inputs: of each layer, in order, the numbers of the layers whose outputs it takes, all of
            which come before it, or `IMAGES`. The output of the last one is that of the model.

    Raises:
        InvalidValueError: it is none of a model.
    """

    inputs: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        for number, inputs in enumerate(self.inputs):
            if not inputs or not all(each in range(IMAGES, number) for each in inputs):
                raise InvalidValueError(
                    f"layer {number} takes the outputs of {printable(repr(inputs), 50)}: these "
                    "must be numbers of layers before it"
                )
        unused = set(range(IMAGES, len(self.inputs) - 1)) - set(chain(*self.inputs))
        if unused:
            raise InvalidValueError(
                f"the output of layer {min(unused)} is not used: leave the layer out, or let "
                "others take it"
            )

    @classmethod
    def of_chain(cls, layers: Sequence[Layer]) -> "Graph":
        """That of layers each of which takes the output of the one before."""
        return cls(tuple((number,) for number in range(IMAGES, len(layers) - 1)))

    @classmethod
    def of(cls, inputs: Any, count: int) -> "Graph":
        """That of so many layers, given lists of numbers, as a file has them.

        Raises:
            InvalidValueError: they are none of such layers.
        """
        graph = cls(tuple(tuple(each) for each in inputs))
        if len(graph.inputs) != count or not all(
            type(each) is int for each in chain(*graph.inputs)
        ):
            raise InvalidValueError(
                f"the inputs of {count} layers are {printable(repr(inputs), 50)}: give the numbers "
                "of the layers whose outputs each takes"
            )
        return graph

    @property
    def is_chain(self) -> bool:
        """Whether each layer takes the output of the one before."""
        return all(inputs == (number - 1,) for number, inputs in enumerate(self.inputs))

    def unrolled(self, layers: Sequence[Layer]) -> "Graph":
        """That of the layers that run for `layers`, see `Layer.unrolled`."""
        inputs: list[tuple[int, ...]] = []
        last = {IMAGES: IMAGES}
        for number, layer in enumerate(layers):
            before = tuple(last[each] for each in self.inputs[number])
            for _ in layer.unrolled():
                inputs.append(before)
                before = (len(inputs) - 1,)
            last[number] = before[0]
        return Graph(tuple(inputs))

    def stretches(self, layers: Sequence[Layer]) -> tuple[Stretch, ...]:
        """The stretches of layers, of which this is the graph."""
        stretches: list[Stretch] = []
        ends = {IMAGES: IMAGES}
        taken = Counter(chain(*self.inputs))
        for number, (layer, inputs) in enumerate(zip(layers, self.inputs, strict=True)):
            if number and inputs == (number - 1,) and taken[number - 1] == 1:
                before = stretches[-1]
                stretches[-1] = before._replace(layers=(*before.layers, layer))
            else:
                stretches.append(Stretch((layer,), tuple(ends[each] for each in inputs)))
            ends[number] = len(stretches) - 1
        return tuple(stretches)

    def call(self, layers: Sequence[Layer], images: Tensor) -> Tensor:
        """The output of layers, of which this is the graph, that are called on one another."""
        outputs = {IMAGES: images}
        for number, (layer, inputs) in enumerate(zip(layers, self.inputs, strict=True)):
            given = [outputs[each] for each in inputs]
            outputs[number] = layer(given if layer.is_merging else given[0])
        return outputs[len(layers) - 1]

    def tensors(self, layers: Sequence[Layer], images: Tensor) -> list[Tensor]:
        """What each of the layers gives, which are built, and of which this is the graph."""
        outputs = {IMAGES: images}
        for number, (layer, inputs) in enumerate(zip(layers, self.inputs, strict=True)):
            given, running = [outputs[each] for each in inputs], layer.unrolled()
            shape = running[-1].output_shape if running else given[0].image_shape
            outputs[number] = Tensor(shape, layer, given)
        return [outputs[number] for number in range(len(layers))]


def build(layers: Sequence[Layer], graph: Graph, input_shape: Shape) -> None:
    """Build the layers that run, in order, of which `graph` is the graph.

    Args:
        layers: they have their names.
        graph: theirs.
        input_shape: of one image.

    Raises:
        InvalidValueError: a layer does not accept the outputs that it takes, or takes images that
            another mixes.
    """
    takers = sum(inputs.count(IMAGES) for inputs in graph.inputs)
    if takers > 1 and isinstance(layers[0], MixingLayer):
        raise InvalidValueError(
            f"{layers[0].name} mixes images as they are loaded, for whatever takes them: let no "
            "other layer take these, but its output"
        )
    shapes, trained = {IMAGES: input_shape}, {IMAGES: False}
    for number, (layer, inputs) in enumerate(zip(layers, graph.inputs, strict=True)):
        needs_gradient = any(trained[each] for each in inputs)
        layer.build_for([shapes[each] for each in inputs], needs_gradient=needs_gradient)
        if layer.is_own:
            _check_shapes(layer)
        shapes[number] = layer.output_shape
        trained[number] = needs_gradient or layer.has_parameters


def _check_shapes(layer: Layer) -> None:
    """Check that `build` of a layer of the user's has set the shapes.

    Raises:
        InvalidValueError: one is none of an image.
    """
    names = ("output_shape",) if layer.is_merging else ("input_shape", "output_shape")
    for name in names:
        shape = getattr(layer, name, None)
        set_ = arguments.image_shape(shape, f"{name} of {layer.name}, which its build is to set,")
        setattr(layer, name, set_)


# Stretches


def layers_of(stretches: Iterable[Stretch]) -> tuple[Layer, ...]:
    """All layers of stretches, in order."""
    return tuple(layer for stretch in stretches for layer in stretch.layers)


def copied(stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
    """Stretches of copies of the layers."""
    return tuple(each._replace(layers=tuple(map(copy, each.layers))) for each in stretches)


# From tensors


def trace(inputs: Any, outputs: Any) -> tuple[Input, list[Layer], Graph]:
    """The layers between the arguments of `Model`, and how they are joined.

    They are in the order in which they were called, except that those of a stretch follow each
    other.

    Returns:
        The images, the layers, and their graph.

    Raises:
        InvalidTypeError: an argument is not a tensor, or there are several.
        InvalidValueError: the outputs do not follow from the inputs, or a layer is called twice.
    """
    images, output = _single(inputs, "inputs"), _single(outputs, "outputs")
    if not isinstance(images, Input):
        raise InvalidValueError(
            f"inputs is what {images.layer!r} gives: give what Input(shape) has returned"
        )
    tensors = _up_to(output)
    for each in tensors:
        if each.layer is None and each is not images:
            raise InvalidValueError(
                f"outputs follow from {each!r}, which is not the one that is given as inputs: a "
                "model has one input"
            )
    if images not in tensors or output is images:
        raise InvalidValueError("outputs do not follow from inputs: call layers on inputs")
    called = _by_stretches([each for each in tensors if each is not images])
    layers = [each.layer for each in called]
    for layer in layers:
        if sum(layer is each for each in layers) > 1:
            raise InvalidValueError(
                f"{layer!r} is called twice, but layers share no weights: make one for each call"
            )
    numbers = {images: IMAGES} | {each: number for number, each in enumerate(called)}
    taken = (tuple(numbers[each] for each in tensor.inputs) for tensor in called)
    return images, layers, Graph(tuple(taken))


def _single(given: Any, name: str) -> Tensor:
    tensors = given if isinstance(given, (list, tuple)) else [given]
    if len(tensors) > 1 and all(isinstance(each, Tensor) for each in tensors):
        raise InvalidTypeError(f"{name} is {len(tensors)} tensors: a model has one")
    if len(tensors) != 1 or not isinstance(tensors[0], Tensor):
        raise InvalidTypeError(
            f"{name} is {printable(repr(given), 50)}: a Model is made of what Input has returned, "
            "and of what the last layer gives that was called"
        )
    return tensors[0]


def _up_to(output: Tensor) -> list[Tensor]:
    """The tensors from which one follows, and itself, in the order in which they were made."""
    found, left = {output}, [output]
    while left:
        new = set(left.pop().inputs) - found
        found |= new
        left += new
    return sorted(found, key=lambda each: each.number)


def _by_stretches(called: Sequence[Tensor]) -> list[Tensor]:
    """The same outputs of layers, in an order in which those of a stretch follow each other."""
    taken = Counter(each for tensor in called for each in tensor.inputs)
    stretches: dict[Tensor, list[Tensor]] = {}  # by their last tensor
    for tensor in called:
        before = tensor.inputs[0]
        goes_on = len(tensor.inputs) == 1 and taken[before] == 1
        stretches[tensor] = [*(stretches.pop(before, []) if goes_on else []), tensor]
    return list(chain(*sorted(stretches.values(), key=lambda each: each[0].number)))
