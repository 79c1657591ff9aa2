"""The base class of layers: shapes, parameters, and buffers allocated once and reused."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from math import prod
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, overload
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, BatchMemory, Buffer, Calls, Shape
from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.layers.tensor import Tensor, check_is_called_for_both
from gpucnn.utils import arguments
from gpucnn.utils.keras.arguments import keras_arguments
from gpucnn.utils.keras.attributes import AllTrained
from gpucnn.utils.objects.extensible import Extensible
from gpucnn.utils.objects.placeable import Placeable


class Step(NamedTuple):
    """The training step of a forward pass.

    Args:
        number: int64 (1,), on the device; None to compute gradients without dropout.
        first: the index in the step's batch of the first image of the forward pass.
        images: the number of images in the step's batch; None for those of the forward pass.
    """

    number: Array | None = None
    first: int = 0
    images: int | None = None


class Batch(NamedTuple):
    """A batch of a data set, and where its metrics belong, on the device.

    Args:
        labels: int64 (N,), or real (N, outputs), those of the data set.
        indices: int64 (n,), of the batch's images in the data set.
        position: int64 (2,), the batch's place in its epoch, see `Backend.next_batch`.
        size: the number of images of a full batch.
        losses: real (M,), of the epoch's images, in the order of training; those of the batch are
            written.
        correct: real (M,), 1 for each image that was classified correctly, else 0; likewise.
        outputs: real (M, outputs), what the model predicts for each image, likewise; None if that
            is not needed.
    """

    labels: Array
    indices: Array
    position: Array
    size: int
    losses: Array
    correct: Array
    outputs: Array | None = None


BUILD = "make one whose images have a known shape, keep it, and ask then"

Settable = Mapping[str, Callable[[Any, str], object]]
"""Checks of arguments, by name: called with the value and the name, it raises an error."""


class Name:
    """The name of a layer: what it was given, or else what its model calls it."""

    @overload
    def __get__(self, layer: None, kind: type) -> None: ...

    @overload
    def __get__(self, layer: "Layer", kind: type) -> str: ...

    def __get__(self, layer: "Layer | None", kind: type) -> str | None:
        """The name; of a class None, which is the default of the argument."""
        return None if layer is None else layer.given_name or layer.name_in_model

    def __set__(self, layer: "Layer", name: str | None) -> None:
        layer.given_name = arguments.optional(arguments.text, name, "name")


@dataclass(eq=False, repr=False)
class Named:
    """The arguments that all layers have."""

    _: KW_ONLY
    dtype: str | None = None
    name: Name = Name()


class Owner(Protocol):
    """The model that a layer belongs to, which has its weights."""

    name: str

    def get_weights_of(self, layer: "Layer") -> list[NDArray[Any]]:
        """Copies of the weights of a layer, see `Layer.get_weights`."""

    def set_weights_of(self, layer: "Layer", weights: Sequence[NDArray[Any]]) -> None:
        """Set the weights of a layer, see `Layer.set_weights`."""

    def output_of(self, layer: "Layer") -> Tensor:
        """What a layer gives there, of which the shape alone is known."""


Joined = TypeVar("Joined")


class Joint(Generic[Joined]):
    """What a layer takes or gives in its model, a tensor, as `Model` takes it.

    A class of the user's may set an attribute of that name to anything.

    Args:
        of_output: given what the layer gives.
    """

    def __init__(self, of_output: Callable[[Tensor], Joined]) -> None:
        self._of_output = of_output

    @overload
    def __get__(self, layer: None, kind: type) -> "Joint[Joined]": ...

    @overload
    def __get__(self, layer: "Layer", kind: type) -> Joined: ...

    def __get__(self, layer: "Layer | None", kind: type) -> "Joined | Joint[Joined]":
        """It, of a layer of a built model.

        Raises:
            InvalidValueError: the layer is not in one.
        """
        return self if layer is None else self._of_output(layer._model.output_of(layer))


class Layer(Named, AllTrained, Extensible, Placeable, ABC):
    """A function of an input and of parameters, with its gradients.

    A layer has three stages. Constructed, it holds its arguments. Built, by `build`, it has its
    shapes. Placed, by `place` and `reserve`, it has its parameters and buffers on a backend and can
    run: `forward`, then `backward`.

    Shapes of layers are those of one image, without the batch axis. `forward` and `backward` return
    buffers of the layer, which the next call overwrites.

    A layer of your own defines `build`, `forward` and `backward`, and what it has of parameters and
    state. In operations of `self.backend`, into buffers, it is as fast as the library's; in array
    code over `self.xp` it may return any array of the right shape.

    Args:
        dtype: that of the model, or None; a model refuses layers of another.
        name: of the layer, which no other layer of its model has; None for one that the model makes
            of the name of the class, such as "dense_1".

    Raises:
        InvalidValueError: an argument is not as described.
    """

    kind: str = ""
    """What the name that its model makes begins with; "" for that of its class."""

    # Set by the network that the layer belongs to.
    name_in_model: str = ""
    index: int = 0  # in the network's list of layers
    seed: int = 0
    follows_parameters: bool = True  # of layers whose outputs it takes, or of those before
    needs_input_gradient: bool = True  # which is asked of others too by those who look at a model

    has_parameters: ClassVar[bool] = False
    """Whether it may have parameters; set where a class defines `parameter_shapes`."""

    settable: ClassVar[Settable] = {}
    """The arguments that may be set later, since they act at once, and the check of each.

    A setting that is refused raises the error of the check; one of another argument is refused, in
    the library's own classes.
    """

    is_of_whole_batch: ClassVar[bool] = False
    """Whether it is a `WholeBatchLayer`."""

    is_merging: ClassVar[bool] = False
    """Whether it is a `MergingLayer`, which takes the outputs of several layers."""

    given_name: str | None = None
    """The argument `name`, if it was given."""

    given_shape: Shape | None = None
    """The argument `input_shape` of a layer that begins a model, if it was given one."""

    _owner: "ref[Owner] | None" = None

    input = Joint[Any](
        lambda output: list(output.inputs) if output.inputs[1:] else output.inputs[0]
    )
    """What it takes in its model: a tensor, or a list of those that it joins."""

    output = Joint[Tensor](lambda output: output)
    """What it gives in its model, a tensor."""

    backend: Backend
    real: "np.dtype[np.floating]"
    input_shape: Shape
    output_shape: Shape

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "parameter_shapes" in vars(cls):
            cls.has_parameters = True

    @keras_arguments
    def __call__(self, inputs: Tensor | Sequence[Tensor], training: bool | None = None) -> Tensor:
        """What the layer gives for images, or for the output of another, as a `Model` takes it.

        The layer is built.

        Args:
            inputs: what it takes; a list of a layer that takes several, such as `Add`.
            training: None, since a layer does what is due in training, and in use.

        Raises:
            InvalidTypeError: `inputs` is not as described, such as images: a model computes.
            InvalidValueError: the layer does not accept inputs of these shapes, or is in a model,
                or `training` is given.
        """
        tensors = self._checked_tensors(inputs)
        check_is_called_for_both(training)
        shapes = tuple(each.image_shape for each in tensors)
        needs_gradient = any(each.needs_gradient for each in tensors)
        for layer in self.unrolled():
            if layer.is_placed:
                raise InvalidValueError(f"{self!r} is already part of a model: make a new layer")
            layer.name_in_model = kind_of(layer)  # for error messages
            layer.build_for(shapes, needs_gradient=needs_gradient)
            shapes = (layer.output_shape,)
            needs_gradient = needs_gradient or layer.has_parameters
        return Tensor(shapes[0], self, tensors, needs_gradient=needs_gradient)

    def _checked_tensors(self, inputs: Any) -> tuple[Tensor, ...]:
        """What the layer is called on."""
        is_list = isinstance(inputs, (list, tuple))
        tensors = tuple(inputs) if is_list else (inputs,)
        if not tensors or not all(isinstance(each, Tensor) for each in tensors):
            raise InvalidTypeError(
                f"{self!r} is called on {printable(repr(inputs), 50)}, but to make a model layers "
                "are called on what Input and other layers give: give numbers to predict of a model"
            )
        if self.is_merging and not is_list:
            raise InvalidTypeError(f"{self!r} joins several tensors: give a list, as in [x, y]")
        if len(tensors) > 1 and not self.is_merging:
            raise InvalidTypeError(
                f"{self!r} is called on {len(tensors)} tensors, but takes one: join them first, by "
                "Add() or Concatenate()"
            )
        return tensors

    def __repr__(self) -> str:
        """The call that makes the layer, without arguments that have their defaults."""
        defaults = {each.name: each.default for each in fields(self)}
        shown = [
            f"{name}={value!r}"
            for name, value in self.get_config().items()
            if name not in defaults or value != defaults[name]
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def get_config(self) -> dict[str, Any]:
        """As for `Configurable`; with the dtype and the name only if they were given."""
        of_all = {"dtype": self.dtype, "name": self.given_name}
        others = {k: value for k, value in super().get_config().items() if k not in of_all}
        return others | {k: value for k, value in of_all.items() if value is not None}

    def __getstate__(self) -> dict[str, Any]:
        """As for `Placeable`; a copy belongs to no model."""
        return {name: value for name, value in super().__getstate__().items() if name != "_owner"}

    # Arguments that are set later

    @classmethod
    def _checked_names(cls) -> frozenset[str]:
        names = frozenset(each.name for each in fields(cls)) - {each.name for each in fields(Named)}
        return (
            super()._checked_names() | cls.settable.keys() | (frozenset() if cls.is_own else names)
        )

    def _check_attribute(self, name: str, value: Any) -> None:
        super()._check_attribute(name, value)
        if name in self.settable:
            self.settable[name](value, name)
        elif name in vars(self):  # which the constructor has set
            raise InvalidValueError(
                f"{name} of a {type(self).__name__} cannot be set later: make a new layer with "
                f"{name}={value!r}"
            )

    # Building

    @abstractmethod
    def build(self, input_shape: Shape) -> None:
        """Set `input_shape` and `output_shape`.

        Raises:
            InvalidValueError: the layer does not accept an input of that shape.
        """

    def build_for(self, shapes: Sequence[Shape], *, needs_gradient: bool) -> None:
        """Build the layer for the outputs of layers, given their shapes.

        Args:
            shapes: of the inputs, one, or several of a `MergingLayer`.
            needs_gradient: whether any of the layers up to it has parameters.

        Raises:
            InvalidValueError: the layer does not accept such inputs.
        """
        self.follows_parameters = self.needs_input_gradient = needs_gradient
        if len(shapes) > 1 and not self.is_merging:
            raise InvalidValueError(
                f"{self.name} takes the output of one layer, but is given those of {len(shapes)}"
            )
        self.build(tuple(shapes) if self.is_merging else shapes[0])  # type: ignore[arg-type]

    def _begin_model(self, input_shape: Sequence[int] | None) -> None:
        """Take the argument `input_shape` of a layer that may begin a model.

        Raises:
            InvalidValueError: it is given, and is not the shape of an image.
        """
        if input_shape is not None:
            self.given_shape = arguments.image_shape(input_shape, "input_shape")

    def unrolled(self) -> "tuple[Layer, ...]":
        """The layers that run for this one, in order: itself, and those of arguments of it."""
        return (self,)

    def parameter_shapes(self) -> dict[str, Shape]:
        """The shapes of the parameters by name, in their order in the flat vector."""
        return {}

    def initial_parameters(self, generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        """Initial values of the parameters by name, drawn from `generator`."""
        return {}

    def penalties(self) -> dict[str, float]:
        """By what the squares of a parameter are multiplied in the loss, by its name."""
        return {}

    def state_shapes(self) -> dict[str, Shape]:
        """The shapes of the state, which is saved but not trained, by name, in order.

        `forward` does not change it, since it sees a part of the batch, and a worker's copy: what
        follows the images in training, such as a moving average, is that of a `WholeBatchLayer`.
        """
        return {}

    def initial_state(self) -> dict[str, NDArray[np.float64]]:
        """Initial values of the state by name."""
        return {}

    def multiply_adds(self) -> int:
        """The multiply-adds of the forward pass of one image."""
        return 0

    def count_params(self) -> int:
        """The number of parameters, and of the numbers of the state, as in Keras.

        Raises:
            InvalidValueError: the layer is not built.
        """
        if not all(hasattr(layer, "output_shape") for layer in self.unrolled()):
            raise InvalidValueError(f"{self!r} is not in a model that is built: {BUILD}")
        shapes = (
            shape
            for layer in self.unrolled()
            for named in (layer.parameter_shapes(), layer.state_shapes())
            for shape in named.values()
        )
        return sum(map(prod, shapes))

    def inference_buffers(self) -> dict[str, Buffer]:
        """The buffers of `forward` by name: the output, and what the layer adds."""
        return {"output": Buffer(self.output_shape)}

    def training_buffers(self) -> dict[str, Buffer]:
        """The further buffers of a training step by name, such as the gradient of the input."""
        return {"input_gradient": Buffer(self.input_shape)} if self.needs_input_gradient else {}

    # Placing

    def place(
        self,
        backend: Backend,
        real: "np.dtype[np.floating]",
        parameters: dict[str, Array],
        gradients: dict[str, Array],
        state: Array,
    ) -> None:
        """Set where the layer runs.

        Args:
            backend: where its arrays live.
            real: dtype of the model.
            parameters: views of the replica's flat vector, as `parameter_shapes` describes.
            gradients: likewise.
            state: a view of that of the state, real (s,): what `state_shapes` describes, in order.
        """
        self._begin_placing()
        self.backend, self.real = backend, real
        self.parameters, self.gradients, self.state = parameters, gradients, state
        self._memory: dict[str, BatchMemory] = {}

    def reserve(self, batch: int, *, training: bool) -> bool:
        """Reserve buffers for batches of up to `batch` images, with those of training if asked.

        Returns:
            Whether any buffer was reallocated.
        """
        needed = self.inference_buffers() | (self.training_buffers() if training else {})
        for name, buffer in needed.items():
            if name not in self._memory:
                self._memory[name] = BatchMemory(self.backend, buffer, self.real)
        grown = [self._memory[name].reserve(batch) for name in needed]
        return any(grown)

    def buffer(self, name: str, batch: int) -> Array:
        """The reserved buffer `name` for `batch` images, `(batch, *shape)`."""
        return self._memory[name][batch]

    def input_gradient_buffer(self, batch: int) -> Array | None:
        """The buffer of the gradient of the input for `batch` images; None if it is not needed."""
        return self.buffer("input_gradient", batch) if self.needs_input_gradient else None

    # Weights

    def belong_to(self, owner: Owner) -> None:
        """Set the model that the layer belongs to, which is not kept alive."""
        self._owner = ref(owner)

    def get_weights(self) -> list[NDArray[Any]]:
        """Copies of the weights on the host: the parameters, then the state.

        Those of a model in training are as of the last completed epoch.

        Raises:
            InvalidValueError: the layer is not in a model that is built.
        """
        return self._model.get_weights_of(self)

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set the weights; the thread that trains may do so at the end of an epoch.

        Args:
            weights: in the order and shapes of `get_weights`.

        Raises:
            InvalidValueError: the number of arrays or the shape of one does not match, an element
                is not finite, or the layer is not in a model that is built.
            ModelInUseError: another thread is training the model.
        """
        self._model.set_weights_of(self, weights)

    @property
    def owner(self) -> Owner | None:
        """The built model that the layer belongs to; None if there is none, or none any more."""
        return None if self._owner is None else self._owner()

    @property
    def _model(self) -> Owner:
        owner = self.owner
        if owner is None:
            raise InvalidValueError(f"{self!r} is not in a model that is built: {BUILD}")
        return owner

    # Running

    @property
    def xp(self) -> Any:
        """The module of the arrays, NumPy or CuPy, for array code."""
        return self.backend.xp

    def as_operand(self, array: Any, shape: Shape) -> Array:
        """What `forward` or `backward` of the user's returned, as operations take it.

        An array that array code computed may be of another dtype, or not be contiguous.

        Args:
            array: what was returned.
            shape: (n, ...), what it should have.

        Raises:
            InvalidTypeError: it is not an array.
            InvalidValueError: it has another shape.
        """
        if not hasattr(array, "shape"):
            raise InvalidTypeError(
                f"{self.name} returns what is of type {type(array).__name__}, but by its build an "
                f"array of the shape {shape} is due: return one from forward, and from backward"
            )
        if array.shape != shape:
            raise InvalidValueError(
                f"{self.name} computes an array of the shape {array.shape}, but by its build it is "
                f"{shape}: change one of the two"
            )
        return self.backend.as_operand(array, self.real)

    @abstractmethod
    def forward(self, x: Array, step: Step | None) -> Array:
        """Compute the output for a microbatch.

        Args:
            x: real `(n, *input_shape)`.
            step: the training step; None if `backward` will not be called.

        Returns:
            real `(n, *output_shape)`.
        """

    def bind(self, x: Any, calls: Calls) -> Array:
        """Add the calls that do in inference what `forward` does.

        Args:
            x: real `(n, *input_shape)`, or a list of arrays if the layer is merging: the same in
                every pass, of any order in memory.
            calls: of the pass.

        Returns:
            real `(n, *output_shape)`, which the calls write, of any order in memory.
        """
        if not self.is_own:
            return self._bind(x, calls)
        x = self._laid_out(x, calls)
        images = len(x[0]) if self.is_merging else len(x)
        out = BatchMemory(self.backend, Buffer(self.output_shape), self.real)[images]

        def forward() -> None:
            self.backend.copy(self.as_operand(self.forward(x, None), out.shape), out)

        calls.add(forward)
        return out

    def _bind(self, x: Any, calls: Calls) -> Array:
        """The same of a layer of the library: `forward`, which gives the same array each time."""
        x = self._laid_out(x, calls)
        calls.add(self.forward, x, None)
        return self.forward(x, None)

    def _laid_out(self, x: Any, calls: Calls) -> Any:
        """What `forward` takes, in the order in memory that operations expect."""
        bind = self.backend.bind_layout
        return [bind(each, calls) for each in x] if self.is_merging else bind(x, calls)

    @abstractmethod
    def backward(self, output_gradient: Array) -> Array | None:
        """Compute the gradients for the microbatch of the last `forward`.

        Those with respect to the parameters are written to `gradients`.

        Args:
            output_gradient: real `(n, *output_shape)`.

        Returns:
            The gradient with respect to the input, real `(n, *input_shape)`, or None if not needed.
        """


def kind_of(layer: Layer) -> str:
    """What the name of a layer begins with, if it was given none."""
    return layer.kind or type(layer).__name__.lower()
