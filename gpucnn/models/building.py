"""Networks that are built once they know the shape of their images, as in Keras."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpucnn.backends import Shape
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.layers import Input, Layer, Softmax
from gpucnn.layers.ends import end_of, image_shape, without_input
from gpucnn.layers.tensor import Tensor
from gpucnn.losses import Loss
from gpucnn.models.data import count_images
from gpucnn.models.graph import Graph
from gpucnn.models.network import Network, check_are_layers, check_list
from gpucnn.models.part import Part, whole_of
from gpucnn.utils.locks import ModelLock
from gpucnn.utils.seeds import next_seed

OF_BUILT = frozenset(
    {
        *("backend", "classes", "dtype", "gradients", "graph", "input_shape", "layers"),
        "parameters",
        *("replica", "seed", "_input", "_lock", "_logits", "_objective", "_tensors", "_threads"),
        *("_unrolled", "_weights"),
    }
)
"""The attributes that a network has once it is built."""


class Options(NamedTuple):
    """Arguments of `Network` after the shape of its images."""

    dtype: str
    device: str
    seed: int
    threads: int | None


class BuiltLater(Network):
    """A network that is built when it is first used.

    The shape of its images is that of an `Input` that the layers begin with, or the `input_shape`
    of the first layer, or that of the first images.

    Made of a built model and `Softmax()`, it is that model but for what it predicts: probabilities.
    Made of layers of a built model, it gives what these do. In both cases it has no weights of its
    own, and cannot be trained or changed but by the other.

    Args:
        layers: in order, models that are not built among them, whose layers it takes; or a built
            model and `Softmax()`; or layers of a built model, and others without weights.
        dtype: see `Network`.
        device: see `Network`.
        seed: None for one that follows from `gpucnn.utils.set_random_seed`, or from 0 if it
            was not called, and is another for each model.
        threads: see `Network`.
        graph: see `Network`.

    Attributes:
        loss: the loss function that it is built for, see `Network`.
    """

    def __init__(
        self,
        layers: Sequence[Layer | Input | Network],
        dtype: str,
        device: str,
        seed: int | None,
        threads: int | None,
        graph: Graph | None = None,
    ) -> None:
        check_list(layers)
        self._shared = _shared(layers)
        self._given = list(layers) if self._shared else in_one_list(layers)
        self._owners = [each.owner for each in self._given if isinstance(each, Layer)]  # kept alive
        self._given_graph: Graph | None = getattr(self._shared, "_given_graph", graph)
        self._options = Options(dtype, device, next_seed() if seed is None else seed, threads)
        self._building = ModelLock(
            "the model is asked by a handler of signals while it is built for the same thread: let "
            "the handler set a flag, and ask later"
        )
        if self._shared is None:
            self.loss: Loss | None = None

    def __repr__(self) -> str:
        if self.is_built and self._shared is None:
            return super().__repr__()
        return f"{type(self).__name__}({self._given})"

    @property
    def is_built(self) -> bool:
        """Whether the model has its shapes and weights, and no layers can be added any more."""
        return self._shared is not None or "replica" in vars(self)

    def build(self, input_shape: Sequence[int]) -> None:
        """Make the shapes and the weights of all layers, for images of a shape.

        Raises:
            InvalidValueError: a layer does not accept the output of the one before it, an argument
                of the constructor is not as described, the loss does not fit the last layer, or the
                model is built for images of another shape.
            InvalidTypeError: one of the layers is not a layer.
        """
        with self._building.claim():
            if not self.is_built:
                self._build(input_shape)
            elif tuple(input_shape) != self.input_shape:
                raise InvalidValueError(
                    f"the model is built for images of the shape {self.input_shape}: make another "
                    f"for {tuple(input_shape)}"
                )

    def _build(self, input_shape: Sequence[int]) -> None:
        """Build the model all at once, so that another thread sees it built or not.

        It is built as an object of its own, whose attributes this one then takes over.
        """
        _check_dtypes(self._given, self._options.dtype)
        told = image_shape(self._given)
        if told not in (None, tuple(input_shape)):
            raise InvalidValueError(
                f"the layers begin with images of the shape {told}, but the model is to be built "
                f"for {tuple(input_shape)}: give one of the two"
            )
        layers = without_input(self._given)
        whole = whole_of(layers)
        if whole is not None:
            self._become(Part(whole, layers, self._given_graph or Graph.of_chain(layers)))
            return
        made = type(self).__new__(type(self))
        Network.__init__(made, layers, input_shape, *self._options, self.loss, self._given_graph)
        self._complete(made)
        vars(self).update(vars(made))
        if self._given and isinstance(self._given[0], Input):
            self._input = self._given[0]
        self._own_layers()

    def _become(self, part: Part) -> None:
        """Have the weights of another model, of whose layers this one is made."""
        self._shared = part

    @property
    def output(self) -> Tensor:
        """What the last layer gives, as `Model` takes it."""
        if not self._adds_softmax:
            return super().output
        given: Any = self._given
        output: Tensor = given[1](given[0].output)
        return output

    @property
    def output_shape(self) -> Shape:
        """The shape of the output for one image."""
        shape = super().output_shape  # which builds the model
        return shape if self._shared is None else self._shared.output_shape

    @property
    def _adds_softmax(self) -> bool:
        return self._shared is not None and not isinstance(self._shared, Part)

    def _complete(self, made: Network) -> None:
        """Do what else belongs to building, for `made`, the network with its weights."""

    def call_layers(self, images: Tensor) -> Tensor:
        """What the layers of a model that is not built give for images, or a layer's output.

        They are then a part of the model that is made of it.

        Raises:
            InvalidValueError: the model is built, or takes images of another shape.
        """
        if self.is_built:
            raise InvalidValueError(
                f"{self.name} is built, since it has been used, and shares its weights with no "
                "other model: call one that is not, or make its layers anew"
            )
        told, layers = image_shape(self._given), without_input(self._given)
        if told not in (None, images.image_shape):
            raise InvalidValueError(
                f"{self.name} takes images of the shape {told}, but is called on those of the "
                f"shape {images.image_shape}"
            )
        check_are_layers(layers)
        return (self._given_graph or Graph.of_chain(layers)).call(layers, images)

    def _build_for(self, x: Any) -> None:
        """Build the model, if it is not, for its first images, or the shape that its layers tell.

        Args:
            x: images, (n, *shape of one); the axis of a single channel may be left out.
        """
        if not self.is_built:
            count_images(x)  # which checks that there is an axis of the batch
            images: tuple[int, ...] = np.shape(x)[1:]
            self.build(image_shape(self._given) or (images if len(images) != 2 else (*images, 1)))

    if not TYPE_CHECKING:  # mypy would take any name for one of a model

        def __getattr__(self, name: str) -> Any:
            """What a built model has; it is built if the shape of its images is known.

            Raises:
                InvalidValueError: it is not.
            """
            if vars(self).get("_shared") is not None:
                return getattr(self._shared, name)
            if name not in OF_BUILT or "_given" not in vars(self):
                return object.__getattribute__(self, name)  # which raises the error
            shape = image_shape(self._given)
            if shape is None:
                raise InvalidValueError(
                    "the model does not know the shape of its images: begin its layers with "
                    "Input((28, 28, 1)) or the like, or call fit first"
                )
            self.build(shape)
            return vars(self)[name] if self._shared is None else getattr(self._shared, name)


def in_one_list(layers: Sequence[Any]) -> list[Any]:
    """The layers of a list, those of models in it that are not built among them."""
    flat: list[Any] = []
    for each in layers:
        if isinstance(each, BuiltLater) and not each.is_built:
            if each._given_graph is not None and not each._given_graph.is_chain:
                raise InvalidTypeError(
                    f"{each.name} is a network that branches, among layers in a row: make a "
                    "Model(inputs, outputs) of them, and call it where it belongs"
                )
            flat += without_input(each._given) if flat else each._given
        else:
            flat.append(each)
    return flat


def _check_dtypes(layers: Sequence[Any], dtype: str) -> None:
    """Check that layers, and what they begin and end with, have the dtype of their model if any.

    Raises:
        InvalidValueError: one has another.
    """
    for each in layers:
        if isinstance(each, (Layer, Input)) and each.dtype not in (None, dtype):
            raise InvalidValueError(
                f"the dtype of {type(each).__name__} is {each.dtype!r}, but that of its model is "
                f"{dtype!r}: leave the layer's out, or give Sequential(layers, dtype=...) the same"
            )


def _shared(layers: Sequence[Any]) -> Network | None:
    """The model that is followed by `Softmax()` alone; None if there are layers instead.

    Raises:
        InvalidValueError: it is not built, or does not end in logits.
    """
    if len(layers) != 2 or not isinstance(layers[0], Network) or not isinstance(layers[1], Softmax):
        return None
    model = layers[0]
    if isinstance(model, BuiltLater) and not model.is_built:
        raise InvalidValueError(
            "the model before Softmax() is not built, since it has not been used: train it first"
        )
    if end_of(model.layers) != "linear" or getattr(model, "_shared", None) is not None:
        raise InvalidValueError("the model before Softmax() does not end in logits: leave it out")
    return model
