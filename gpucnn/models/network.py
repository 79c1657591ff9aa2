"""Layers joined to a function from images to logits, with its gradients."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import ALONE, Array, Backend, BatchMemory, Buffer, Shape, get_backend
from gpucnn.datasets.device_dataset import DeviceDataset, check_images
from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.layers import Input, Layer
from gpucnn.layers.base import kind_of
from gpucnn.layers.ends import ends_in_softmax
from gpucnn.layers.tensor import Tensor
from gpucnn.losses import Loss
from gpucnn.models.graph import Graph, build
from gpucnn.models.inference import compute_logits
from gpucnn.models.replica import Objective, Parameter, Replica, in_layer_order
from gpucnn.utils import arguments
from gpucnn.utils.keras.arguments import KerasArguments
from gpucnn.utils.keras.attributes import AllTrained, KerasAttributes
from gpucnn.utils.locks import ModelLock

DTYPES = ("float32", "float64")


class Network(AllTrained, KerasAttributes, metaclass=KerasArguments):
    """Layers on a device, each of which takes the output of the one before, or of several.

    All parameters lie in one flat vector and all gradients in another, so that an optimizer step is
    one operation, and so is a sum over ranks. The layers hold views of both.

    Every method can be called from any thread: calls that use the model's memory take turns. What
    `forward` returns and the attributes hold is that memory itself, which later calls overwrite.

    Args:
        layers: in order, at least one with parameters; the output of the last one is the logits, a
            vector with an element for each class.
        input_shape: of one image, (height, width, channels).
        dtype: "float32" or "float64", of parameters and arithmetic.
        device: where it runs, see `get_backend`.
        seed: of the initial parameters, the shuffles and dropout, in [0, 2^64).
        threads: worker processes of the CPU among which a batch is split, this one included; None
            for one per usable core. Another number changes the order of sums, and so the rounding
            of gradients.
        loss: the loss function; None for the cross-entropy of classes that are whole numbers.
        graph: which layers take whose outputs; None for a chain.

    Attributes:
        parameters: real (p,), the flat parameter vector, on the device.
        gradients: real (p,), the flat gradient vector, on the device.
        replica: computes everything but training.
        name: of the model, in its summary.

    Raises:
        InvalidValueError: an argument is not as described, or a layer does not accept the output of
            the one before it.
        InvalidTypeError: one of `layers` is not a layer.
    """

    name = "network"

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Sequence[int],
        dtype: str = "float32",
        device: str = "auto",
        seed: int = 0,
        threads: int | None = None,
        loss: Loss | None = None,
        graph: Graph | None = None,
    ) -> None:
        self.dtype: np.dtype[np.floating] = np.dtype(arguments.one_of(dtype, "dtype", DTYPES))
        self.seed = arguments.seed(seed)
        self.input_shape = arguments.image_shape(input_shape, "input_shape")
        self._input = Input(self.input_shape)
        self.layers = _check_layers(layers)
        self._check_parameters()
        self.graph = graph or Graph.of_chain(self.layers)
        self._unrolled = unroll(self.layers)
        self._threads = threads
        self._lock = ModelLock(
            "the model is asked by a handler of signals while it computes for the same thread: let "
            "the handler set a flag, and ask later"
        )
        self._build_layers()
        self._objective = Objective.of(loss, self.layers)
        self._weights = in_layer_order(self._unrolled)
        self._place(get_backend(device, threads), self._initial_weights())

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({list(self.layers)}, input_shape={self.input_shape}, "
            f"dtype={self.dtype.name!r}, device={self.backend.device!r}, seed={self.seed})"
        )

    # Building

    def _check_parameters(self) -> None:
        """Check that there is something to train."""
        if not any(each.has_parameters for each in self.layers):
            raise InvalidValueError("no layer has parameters: give at least one Conv2D or Dense")

    def _build_layers(self) -> None:
        give_names(self.layers)
        for index, layer in enumerate(self._unrolled):
            layer.index, layer.seed = index, self.seed
        build(self._unrolled, self._running_graph, self.input_shape)
        for layer in self.layers:
            _check_given_shape(layer)
        shape = self._unrolled[-1].output_shape
        if len(shape) != 1:
            last = self._unrolled[-1].name
            raise InvalidValueError(
                f"the last layer, {last}, gives the shape {shape}: a model ends in "
                "a vector with an element for each class, so end with Flatten() and Dense(classes)"
            )
        self.classes = shape[0]

    @property
    def _running_graph(self) -> Graph:
        """That of the layers that run."""
        return self.graph.unrolled(self.layers)

    def _initial_weights(self) -> list[NDArray[np.float64]]:
        generator = np.random.default_rng(self.seed)
        return [
            values
            for layer in self._unrolled
            for named in (layer.initial_parameters(generator), layer.initial_state())
            for values in named.values()
        ]

    # Placing

    def _place(self, backend: Backend, weights: Iterable[NDArray[Any]]) -> None:
        self.backend = backend
        stretches = self._running_graph.stretches(self._unrolled)
        of_model = self.input_shape, self.dtype, self._objective
        self.replica = Replica(stretches, backend, *of_model)
        self.parameters, self.gradients = self.replica.parameters, self.replica.gradients
        self._logits = BatchMemory(backend, Buffer((self.classes,)), self.dtype)
        self.replica.load(self._weights, weights)
        self._own_layers()

    def _own_layers(self) -> None:
        """Let the layers ask this object for their weights, and for what they give."""
        self._tensors = self.graph.tensors(self.layers, self._input)
        for layer in (*self.layers, *self._unrolled):
            layer.belong_to(self)

    def __copy__(self) -> "Network":
        """A deep copy, since a layer belongs to one model alone."""
        return deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        """A consistent snapshot for pickling and copying, see `_state`."""
        with self._lock.claim():
            return self._state()

    def _state(self) -> dict[str, Any]:
        """All attributes except arrays on the device, and the weights on the host."""
        on_device = ("backend", "replica", "parameters", "gradients", "_logits", "_weights")
        left_out = (*on_device, "_tensors")
        state = {name: value for name, value in vars(self).items() if name not in left_out}
        weights = list(self.named_weights(self.replica).values())
        return state | {"device": self.backend.device, "weights": weights}

    def __setstate__(self, state: dict[str, Any]) -> None:
        device, weights = state.pop("device"), state.pop("weights")
        vars(self).update(state)
        self._weights = in_layer_order(self._unrolled)
        self._place(get_backend(device, self._threads), weights)

    def to(self, device: str) -> "Network":
        """Move the network to another device, with its weights.

        Returns:
            The network itself.

        Raises:
            InvalidValueError: there is no such device.
        """
        self.place(get_backend(device, self._threads))
        return self

    def place(self, backend: Backend) -> None:
        """Move the network to `backend`, with its weights."""
        with self._lock.claim():
            self._place(backend, self.named_weights(self.replica).values())

    # Weights

    @property
    def parameter_names(self) -> list[str]:
        """The names of the parameters, such as "conv2d.kernel", in layer order."""
        return [each.name for each in self._weights if each.is_trained]

    @property
    def weight_names(self) -> list[str]:
        """The names of the parameters and of the state, in the order of `get_weights`."""
        return [each.name for each in self._weights]

    def get_weights(self) -> list[NDArray[Any]]:
        """Copies of the weights on the host: kernel, bias, kernel, bias, ... in layer order.

        These are the parameters, and the state of layers that have some, such as moving averages.
        """
        return self._get(self._weights)

    def get_weights_of(self, layer: Layer) -> list[NDArray[Any]]:
        """The same of one of the layers."""
        return self._get(self._weights_of(layer))

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set all weights; the thread that trains the model may do so at the end of an epoch.

        Args:
            weights: an array for each parameter, in the order and shapes of `get_weights`.

        Raises:
            InvalidValueError: the number of arrays or the shape of one does not match, or an
                element is not finite.
            ModelInUseError: another thread is training the model.
        """
        self._set("the model", self._weights, weights)

    def set_weights_of(self, layer: Layer, weights: Sequence[NDArray[Any]]) -> None:
        """The same of one of the layers."""
        self._set(layer.name, self._weights_of(layer), weights)

    def _weights_of(self, layer: Layer) -> list[Parameter]:
        mine = layer.unrolled()
        return [each for each in self._weights if any(each.layer is part for part in mine)]

    def _get(self, layout: Sequence[Parameter]) -> list[NDArray[Any]]:
        """Copies on the host of the weights of `layout`."""
        with self._lock.claim():
            return _on_host(self.replica, layout)

    def _set(self, what: str, layout: Sequence[Parameter], weights: Sequence[NDArray[Any]]) -> None:
        """Set the weights of `layout`, which are those of what is called `what`."""
        self._refuse_change()
        arrays = [np.asarray(each) for each in weights]
        if len(arrays) != len(layout):
            names = ", ".join(each.name for each in layout)
            raise InvalidValueError(
                f"{len(arrays)} arrays of weights were given, but {what} has {len(layout)}: "
                f"{names or 'give none'}"
            )
        for parameter, array in zip(layout, arrays, strict=True):
            parameter.check(array, self.dtype)
        with self._lock.claim():
            self.replica.load(layout, arrays)

    def _refuse_change(self) -> None:
        """Check that the weights may be set now."""

    def count_params(self) -> int:
        """The number of parameters, those that are not trained among them, as in Keras."""
        return self.replica.parameters.size + self.replica.state.size

    def named_weights(self, replica: Replica) -> dict[str, NDArray[Any]]:
        """Copies on the host of the weights that a replica of this network has, by name."""
        return dict(zip(self.weight_names, _on_host(replica, self._weights), strict=True))

    def split(self, vector: Array) -> list[NDArray[Any]]:
        """Split `vector`, real (p,), into a copy on the host for each parameter, in its shape."""
        trained = [each for each in self._weights if each.is_trained]
        return [self.backend.to_host(each.view(vector)) for each in trained]

    # Layers

    @property
    def input(self) -> Input:
        """The images, of which the shape alone is known, as `Model` takes them."""
        return self._input

    @property
    def inputs(self) -> list[Input]:
        """A list of the `input` alone."""
        return [self.input]

    @property
    def output(self) -> Tensor:
        """What the last layer gives, as `Model` takes it."""
        return self._tensors[-1]

    @property
    def outputs(self) -> list[Tensor]:
        """A list of the `output` alone."""
        return [self.output]

    def output_of(self, layer: Layer) -> Tensor:
        """What one of the layers gives.

        Raises:
            InvalidValueError: it is a part of another one.
        """
        for each in self._tensors:
            if each.layer is layer:
                return each
        raise InvalidValueError(
            f"{layer.name} runs as a part of another layer: ask one that get_layer gives"
        )

    @property
    def output_shape(self) -> Shape:
        """The shape of the output for one image, (classes,)."""
        return self._unrolled[-1].output_shape

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name, or of an index in `layers`; one of the two is given.

        Raises:
            InvalidValueError: there is none, or not one of the two is given.
        """
        if (name is None) == (index is None):
            raise InvalidValueError("give get_layer either a name or an index")
        count = len(self.layers)
        if index is not None:
            if index not in range(-count, count):
                raise InvalidValueError(
                    f"index is {index!r}: it must be a whole number below {count}, the number of "
                    "layers"
                )
            return self.layers[int(index)]
        by_name = {layer.name: layer for layer in self.layers}
        if name not in by_name:
            raise InvalidValueError(
                f"there is no layer {printable(str(name), 50)}: choose one of {', '.join(by_name)}"
            )
        return by_name[name]

    # Running

    def reserve(self, batch: int, *, training: bool = False) -> None:
        """Reserve memory for batches of up to `batch` images, with gradients if `training`."""
        with self._lock.claim():
            if not training:
                self._logits.reserve(batch)
            self.replica.reserve(batch, training=training)

    def forward(self, x: Array) -> Array:
        """What the loss takes of a batch, the logits by default, without dropout.

        Args:
            x: real `(n, *input_shape)`, C-contiguous, on the device.

        Returns:
            real (n, classes), which the next call of any method, in any thread, overwrites.
        """
        with self._lock.claim():
            if self.replica.is_microbatch(len(x)):
                self.replica.prepare_inference(len(x))
                return self.replica.infer(x)
            logits = self._logits[len(x)]
            compute_logits(self.replica, x, logits, ALONE)
            return logits

    def loss_and_gradients(
        self, x: NDArray[Any], y: NDArray[Any]
    ) -> tuple[float, list[NDArray[Any]]]:
        """The mean loss over a set of images, and its gradients, without dropout.

        Args:
            x: uint8 or floating point `(n, *input_shape)`, on the host.
            y: the labels, as the loss takes them: whole numbers (n,) by default.

        Returns:
            The loss, and the gradients in the order of `parameter_names`. The statistics of a
            batch are those of these images.

        Raises:
            InvalidTypeError: the dtype of `x` or `y` cannot be used.
            InvalidValueError: the shape or a value of `x` or `y` cannot be used.
        """
        images = check_images(x, self.input_shape, self.dtype)
        labels = self._objective.loss.labels(y, len(images), self.classes)
        with self._lock.claim(), self.backend.session():
            loss, gradients = self.replica.loss_and_gradients(
                DeviceDataset(self.backend, self.dtype, images, labels)
            )
            return loss, self.split(gradients)


def _check_given_shape(layer: Layer) -> None:
    """Check that a built layer has the input that its argument `input_shape` tells.

    Raises:
        InvalidValueError: it has another.
    """
    if layer.given_shape is None:
        return
    shape = layer.unrolled()[0].input_shape
    if layer.given_shape != shape:
        raise InvalidValueError(
            f"{layer.name} is given input_shape={layer.given_shape}, but its input has the shape "
            f"{shape}: leave the argument out"
        )


def _on_host(replica: Replica, layout: Sequence[Parameter]) -> list[NDArray[Any]]:
    """Copies on the host of parameters and state of a replica."""
    vectors = replica.state, replica.parameters
    return [replica.backend.to_host(each.view(vectors[each.is_trained])) for each in layout]


def unroll(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers that run for those of a model, see `Layer.unrolled`."""
    return tuple(each for layer in layers for each in layer.unrolled())


def give_names(layers: Sequence[Layer]) -> None:
    """Name the layers of a model, and those that run for them, each by another name.

    Raises:
        InvalidValueError: two were given the same name.
    """
    named: list[Layer] = []
    for layer in layers:
        named += [layer, *(each for each in layer.unrolled() if each is not layer)]
    taken = [layer.given_name for layer in named if layer.given_name]
    for name in taken:
        if taken.count(name) > 1:
            raise InvalidValueError(f"two layers are named {name}: give each another name")
    for layer in named:
        if not layer.given_name:
            kind = kind_of(layer)
            names = chain([kind], (f"{kind}_{number}" for number in count(1)))
            layer.name_in_model = next(each for each in names if each not in taken)
            taken.append(layer.name_in_model)


def check_list(layers: Any) -> None:
    """Check that `layers` is a list.

    Raises:
        InvalidTypeError: it is not.
    """
    if not isinstance(layers, (list, tuple)):
        raise InvalidTypeError(f"layers is {layers!r}: give a list of layers")


def check_are_layers(layers: Sequence[Any]) -> None:
    """Check that all are layers.

    Raises:
        InvalidTypeError: one is not.
    """
    for each in layers:
        if isinstance(each, Network):
            raise InvalidTypeError(
                "a model that is built is among the layers, which is possible before Softmax() "
                "alone, as in Sequential([model, Softmax()]): give layers, or one not yet used"
            )
        if not isinstance(each, Layer):
            raise InvalidTypeError(f"{each!r} is among the layers: give objects such as Dense(10)")


def _check_layers(layers: Any) -> tuple[Layer, ...]:
    check_list(layers)
    checked = tuple(layers)
    check_are_layers(checked)
    for each in checked[:-1]:
        if ends_in_softmax((each, *each.unrolled())):
            raise InvalidValueError(
                f"{each!r} is not the last layer, the only one that may end in softmax: give it "
                "another activation"
            )
    running = unroll(checked)
    for layer in checked:
        for each in layer.unrolled():
            if each.is_placed or sum(each is other for other in running) > 1:
                taken = layer if each is layer.unrolled()[0] else each
                raise InvalidValueError(f"{taken!r} is already part of a model: make a new layer")
    return checked
