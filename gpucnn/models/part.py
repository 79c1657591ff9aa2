"""Parts of built models, which give what is between the layers, with the weights of these."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NoReturn

from gpucnn.backends import Shape
from gpucnn.errors import InvalidValueError
from gpucnn.layers import Flatten, Layer
from gpucnn.models.exchange.imported import loss_of_outputs
from gpucnn.models.graph import IMAGES, Graph, build
from gpucnn.models.network import Network, give_names, unroll
from gpucnn.utils.locks import ModelLock


class Part(Network):
    """Some of the layers of a model, which compute with its weights as they are at each use.

    They are copies. What belongs to training, such as the encoding of the pixels, is the model's.

    Args:
        whole: the model, built.
        layers: in order: of that model, up to one of them, and others without weights.
        graph: theirs.

    Attributes:
        layers: as given, copied.
        output_shape: of what the last of them gives for one image.

    Raises:
        InvalidValueError: one of the model's layers takes something else there, or another layer
            does not accept what it takes.
    """

    def __init__(self, whole: Network, layers: Sequence[Layer], graph: Graph) -> None:
        _check_inputs(whole, layers, graph)
        self.whole, self._made_of = whole, (whole, layers, graph)
        self._taken = [weight for each in layers for weight in whole._weights_of(each)]
        copies, joined = [_copied(each) for each in layers], graph
        give_names(copies)
        build(unroll(copies), graph.unrolled(copies), whole.input_shape)
        self._shape = graph.tensors(copies, whole.input)[-1].image_shape
        if len(self._shape) > 1:  # a network gives vectors
            copies.append(Flatten())
            copies[-1].build(self._shape)
            joined = Graph((*graph.inputs, (len(layers) - 1,)))
        of_whole = whole.dtype.name, whole.backend.device, whole.seed, whole._threads
        loss = loss_of_outputs(copies)
        super().__init__(copies, whole.input_shape, *of_whole, loss, joined)
        self.layers, self.graph = self.layers[: len(layers)], graph
        self._own_layers()
        self._lock = FollowingLock(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the whole, of which it is made again."""
        return type(self), self._made_of

    @property
    def output_shape(self) -> Shape:
        """The shape of what the last layer gives for one image."""
        return self._shape

    @property
    def added(self) -> int:
        """The number of layers that run after those that were given."""
        return len(self._shape) > 1

    @property
    def _measures(self) -> NoReturn:
        raise InvalidValueError(
            f"the model has layers of {self.whole.name}, and gives what these do, of which there "
            "is no loss: evaluate that one"
        )

    def _check_parameters(self) -> None:
        """The first layers of a model may have none, such as those that prepare its images."""

    def follow(self) -> None:
        """Take the weights that the whole has now."""
        self.replica.load(self._weights, self.whole._get(self._taken))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What the whole has, as to its training."""
            return getattr(self.whole, name)


class FollowingLock(ModelLock):
    """The lock of a part, which has the weights of the whole in each context that holds it."""

    def __init__(self, part: Part) -> None:
        super().__init__("the model is asked by a handler of signals while it computes")
        self._part = part

    @contextmanager
    def claim(self) -> Iterator[bool]:
        """As for `ModelLock`."""
        with super().claim() as held:
            self._part.follow()
            yield held


def whole_of(layers: Sequence[Any]) -> Network | None:
    """The built model that some layers are of; None if they are of none, and so are to be trained.

    Raises:
        InvalidValueError: they are of several, or others of them have weights.
    """
    owners = {each: each.owner for each in layers if isinstance(each, Layer) and each.owner}
    if not owners:
        return None
    whole, *others = dict.fromkeys(owners.values())
    if others:
        names = " and ".join(each.name for each in (whole, *others))
        raise InvalidValueError(f"the layers are of several built models, {names}: take one's")
    for each in layers:
        if each not in owners and any(map(_has_weights, each.unrolled())):
            raise InvalidValueError(
                f"{each!r} follows on layers of {whole.name}, whose weights these have: train "
                "another model on what a Model without it predicts, or make all layers anew, and "
                "set_weights of those"
            )
    assert isinstance(whole, Network)
    return whole


def _has_weights(layer: Layer) -> bool:
    return layer.has_parameters or bool(layer.state_shapes())


def _check_inputs(whole: Network, layers: Sequence[Layer], graph: Graph) -> None:
    for layer, inputs in zip(layers, graph.inputs, strict=True):
        taken = [None if each == IMAGES else layers[each] for each in inputs]
        if layer.owner and taken != [each.layer for each in whole.output_of(layer).inputs]:
            raise InvalidValueError(
                f"{layer.name} is already part of {whole.name}, in which it takes something else: "
                "make a new layer"
            )


def _copied(layer: Layer) -> Layer:
    """A copy, of the same name if it has one."""
    copy = deepcopy(layer)
    if layer.owner:
        copy.name = layer.name
    return copy
