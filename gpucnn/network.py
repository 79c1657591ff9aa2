"""Layers joined into a function from images to logits, and its gradients."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn import arguments
from gpucnn.backends import Array, Backend, BatchMemory, Buffer, Shape, get_backend
from gpucnn.batches import Batches, check_images, check_labels, is_finite
from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.lane import Lane, split
from gpucnn.layers import Layer

DTYPES = ("float32", "float64")

LEAST_PART = 900_000
"""The multiply-adds of a part's forward pass for which it pays to meet with another thread."""

LEAST_SPAN = 500_000_000
"""The multiply-adds of the forward passes for which it pays to gather threads."""


@dataclass(frozen=True)
class Parameter:
    """Where a parameter lies: its layer, its name there, and its place in the flat vector."""

    layer: Layer
    key: str
    shape: Shape
    start: int

    @property
    def name(self) -> str:
        """The name within the model, such as "conv2d.kernel"."""
        return f"{self.layer.name}.{self.key}"

    def check(self, values: NDArray[Any], dtype: "np.dtype[np.floating]") -> None:
        """Refuse values that the parameter cannot take, in a model of `dtype`.

        Raises:
            InvalidValueError: their shape is another, or they are not finite numbers of `dtype`.
        """
        if values.shape != self.shape:
            raise InvalidValueError(
                f"the weights given for {self.name} have the shape {values.shape}, "
                f"but it has the shape {self.shape}"
            )
        if values.dtype.kind not in "fiu" or not is_finite(values, dtype):
            raise InvalidValueError(
                f"the weights given for {self.name} are not finite numbers of {dtype}"
            )

    def view(self, vector: Array) -> Array:
        """The parameter's part of the flat vector `vector`, in the parameter's shape."""
        return vector[self.start : self.start + prod(self.shape)].reshape(self.shape)


class Network:
    """Layers, one after the other, on a device.

    All parameters lie in one flat vector and all gradients in another: an optimizer's step is one
    operation, and gradients are summed in one call. The layers hold views of them; where a batch is
    split among lanes, each lane's layers hold views of a gradient vector of its own.

    Args:
        layers: the layers in order, at least one with parameters; the last one's output is the
            logits, a vector with an element for each class.
        input_shape: of one image, (height, width, channels).
        dtype: "float32" or "float64", of parameters and arithmetic.
        device: where it runs, see `get_backend`.
        seed: of the initial parameters, the shuffles and dropout, in [0, 2^64).
        threads: of the CPU, among which batches are split; None for as many as there are cores.
            Another number gives sums in another order, and gradients that differ by rounding.

    Attributes:
        parameters: real (p,), the flat parameter vector, on the device.
        gradients: real (p,), the flat gradient vector, on the device.
        lanes: one for each thread, what it needs to work on its part of a batch.

    Raises:
        InvalidValueError: an argument is not as described, or a layer cannot take the output of the
            one before it.
        InvalidTypeError: something other than a layer is among the layers.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Sequence[int],
        dtype: str = "float32",
        device: str = "auto",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.dtype: np.dtype[np.floating] = np.dtype(arguments.one_of(dtype, "dtype", DTYPES))
        self.seed = arguments.seed(seed)
        self.input_shape = arguments.image_shape(input_shape, "input_shape")
        self.layers = _check_layers(layers)
        self._threads = threads
        self.backend = get_backend(device, threads)
        self._build_layers()
        self._parameters = tuple(self._lay_out_parameters())
        self._place(self._initial_weights())

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({list(self.layers)}, input_shape={self.input_shape}, "
            f"dtype={self.dtype.name!r}, device={self.backend.device!r}, seed={self.seed})"
        )

    # Building

    def _build_layers(self) -> None:
        names: Counter[str] = Counter()
        shape = self.input_shape
        below_parameters = True
        for index, layer in enumerate(self.layers):
            kind = type(layer).__name__.lower()
            layer.name = f"{kind}_{names[kind]}" if names[kind] else kind
            layer.index, layer.seed = index, self.seed
            layer.needs_input_gradient = not below_parameters
            layer.build(shape)
            names[kind] += 1
            shape = layer.output_shape
            below_parameters = below_parameters and not layer.has_parameters
        if len(shape) != 1:
            raise InvalidValueError(
                f"the last layer, {self.layers[-1].name}, gives the shape {shape}: a model ends in "
                "a vector with an element for each class, so end with Flatten() and Dense(classes)"
            )
        self.classes = shape[0]

    def _lay_out_parameters(self) -> Iterator[Parameter]:
        start = 0
        for layer in self.layers:
            for key, shape in layer.parameter_shapes().items():
                yield Parameter(layer, key, shape, start)
                start += prod(shape)

    def _initial_weights(self) -> list[NDArray[np.float64]]:
        generator = np.random.default_rng(self.seed)
        return [
            values
            for layer in self.layers
            for values in layer.initial_parameters(generator).values()
        ]

    # Placing

    def _place(self, weights: Sequence[NDArray[Any]]) -> None:
        backend, size = self.backend, sum(prod(each.shape) for each in self._parameters)
        self.parameters = backend.zeros((size,), self.dtype)
        self.gradients = backend.zeros((size,), self.dtype)
        self._logits = BatchMemory(backend, Buffer((self.classes,)), self.dtype, shared=True)
        others = [self._lane(list(map(copy, self.layers))) for _ in range(backend.threads - 1)]
        self.lanes = (self._lane(self.layers), *others)
        self._parts_of: dict[int, list[tuple[Lane, slice]]] = {}
        self._copy_weights(weights)

    def _lane(self, layers: Sequence[Layer]) -> Lane:
        """A lane of `layers`, built and not placed, or placed before."""
        gradients = self.gradients
        if self.backend.threads > 1:
            gradients = self.backend.shared(self.gradients.shape, self.dtype)
        for original, layer in zip(self.layers, layers, strict=True):
            mine = [each for each in self._parameters if each.layer is original]
            views = {each.key: each.view(gradients) for each in mine}
            parameters = {each.key: each.view(self.parameters) for each in mine}
            layer.place(self.backend, self.dtype, parameters, views)
        return Lane(layers, self.backend, self.input_shape, self.dtype, gradients)

    def to(self, device: str) -> "Network":
        """Move to another device, weights included; returns the network itself.

        Raises:
            InvalidValueError: there is no such device.
        """
        self.place(get_backend(device, self._threads))
        return self

    def place(self, backend: Backend) -> None:
        """Move to `backend`, weights included; an optimizer is to be placed there after it."""
        weights = self.get_weights()
        self.backend = backend
        self._place(weights)

    # Weights

    @property
    def parameter_names(self) -> list[str]:
        """The names of the parameters, such as "conv2d.kernel", in the order of `get_weights`."""
        return [each.name for each in self._parameters]

    def get_weights(self) -> list[NDArray[Any]]:
        """Copies of the parameters on the host: kernel, bias, kernel, bias, ... in layer order."""
        return self.split(self.parameters)

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Replace the parameters by `weights`, arrays as `get_weights` gives them.

        Raises:
            InvalidValueError: their number, or the shape of one, is another, or one is not of
            finite numbers.
        """
        arrays = [np.asarray(each) for each in weights]
        if len(arrays) != len(self._parameters):
            raise InvalidValueError(
                f"{len(arrays)} arrays of weights were given, but the model has "
                f"{len(self._parameters)}: {', '.join(self.parameter_names)}"
            )
        for parameter, array in zip(self._parameters, arrays, strict=True):
            parameter.check(array, self.dtype)
        self._copy_weights(arrays)

    def _copy_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        for parameter, array in zip(self._parameters, weights, strict=True):
            self.backend.copy(array, parameter.view(self.parameters))

    def split(self, vector: Array) -> list[NDArray[Any]]:
        """Copies on the host of the parts of `vector`, real (p,), one for each parameter."""
        return [self.backend.to_host(each.view(vector)) for each in self._parameters]

    # Running

    def reserve(self, batch: int, *, training: bool = False) -> None:
        """Have memory for batches of up to `batch` images, for training steps if asked."""
        if not training:
            self._logits.reserve(batch)  # before `session`, or its parts would each have their own
        for lane, _ in self._parts(batch):
            lane.reserve(self._largest_part(batch), training=training)

    @contextmanager
    def session(self, batch: int, images: int) -> Iterator[None]:
        """A span of time in which `images` images are gone through, `batch` at a time.

        See `Backend.session`, and `Backend.gather` for what may be done within.
        """
        pays = self._multiply_adds(images) >= LEAST_SPAN
        size = len(self._parts(batch)) if pays else 1
        with self.backend.session(), self.backend.gather(size):
            yield

    def share(self, batch: int, work: Callable[[Lane, slice], None]) -> None:
        """Split a batch among the lanes, and do `work` on all of its parts at once.

        Args:
            batch: the number of images.
            work: called with a lane, and which images of the batch it is to work on; see
                `Backend.run` for what it may write to.
        """
        self.backend.run([partial(work, lane, part) for lane, part in self._parts(batch)])

    def _parts(self, batch: int) -> list[tuple[Lane, slice]]:
        """How a batch is split: each lane that takes part, and its images.

        The split depends on the batch's size and the number of threads alone.
        """
        parts = self._parts_of.get(batch)
        if parts is None:
            pieces = split(slice(0, batch), self._count_parts(batch))
            parts = self._parts_of[batch] = list(zip(self.lanes, pieces, strict=False))
        return parts

    def _count_parts(self, batch: int) -> int:
        worth = self._multiply_adds(batch) // LEAST_PART
        return max(min(len(self.lanes), worth, batch), 1)

    def _largest_part(self, batch: int) -> int:
        """The images of the largest part that a batch of up to `batch` images has.

        That may be a smaller batch's, just too small for another part.
        """
        count, each = self._count_parts(batch), max(self._multiply_adds(1), 1)
        fullest = [min(batch, ((parts + 1) * LEAST_PART - 1) // each) for parts in range(1, count)]
        return max(-(-images // parts) for parts, images in enumerate([*fullest, batch], 1))

    def _multiply_adds(self, images: int) -> int:
        return images * sum(layer.multiply_adds() for layer in self.layers)

    def forward(self, x: Array) -> Array:
        """The logits of a batch, with dropout switched off.

        Args:
            x: real (n, *input_shape), C-contiguous, on the device.

        Returns:
            real (n, classes), memory that the next call overwrites.
        """
        first = self.lanes[0]
        if len(x) <= (first.images_at_once or len(x)) and len(self._parts(len(x))) == 1:
            return first.forward(first.arrange(x))
        logits = self._logits[len(x)]

        def work(lane: Lane, part: slice) -> None:
            for piece in lane.pieces(part):
                self.backend.copy(lane.forward(lane.arrange(x[piece])), logits[piece])

        self.share(len(x), work)
        return logits

    def learn(
        self, data: Batches, indices: Array, losses: Array, correct: Array, step: Array | None
    ) -> None:
        """The loss of a batch, and the gradients of its mean, to `gradients`.

        Args:
            data: all images.
            indices: int64 (n,), on the device, the images of the batch.
            losses: real (n,), shared, written, the loss of each.
            correct: real (n,), shared, written, 1 for each that was classified correctly, else 0.
            step: int64 (1,), the number of the training step; None without dropout.
        """
        parts = self._parts(len(indices))
        self.backend.run(
            [
                partial(lane.learn, part, data, indices, losses, correct, step)
                for lane, part in parts
            ]
        )
        # Always in this order, so that one seed gives the same bytes each time.
        if self.lanes[0].gradients is not self.gradients:
            self.backend.copy(self.lanes[0].gradients, self.gradients)
        for lane, _ in parts[1:]:
            self.backend.accumulate(lane.gradients, self.gradients)

    def loss_and_gradients(
        self, x: NDArray[Any], y: NDArray[Any]
    ) -> tuple[float, list[NDArray[Any]]]:
        """The mean loss of some images, and its gradients, with dropout switched off.

        Args:
            x: uint8 or floating point (n, *input_shape), on the host.
            y: whole numbers (n,), the labels.

        Returns:
            The loss, and the gradients in the order of `get_weights`.

        Raises:
            InvalidTypeError: the dtype of `x` or `y` cannot be used.
            InvalidValueError: the shape or a value of `x` or `y` cannot be used.
        """
        images = check_images(x, self.input_shape, self.dtype)
        labels = check_labels(y, len(images), self.classes)
        data = Batches(self.backend, self.dtype, images, labels)
        indices = self.backend.asarray(np.arange(len(images), dtype=np.int64))
        losses, correct = (self.backend.shared((len(images),), self.dtype) for _ in range(2))
        self.reserve(len(images), training=True)
        with self.session(len(images), len(images)):
            self.learn(data, indices, losses, correct, None)
        loss = self.backend.to_host(losses).mean(dtype=np.float64)
        return float(loss), self.split(self.gradients)


def _check_layers(layers: Any) -> tuple[Layer, ...]:
    if not isinstance(layers, (list, tuple)):
        raise InvalidTypeError(f"layers is {layers!r}: give a list of layers")
    checked = tuple(layers)
    for each in checked:
        if not isinstance(each, Layer):
            raise InvalidTypeError(f"{each!r} is among the layers: give objects such as Dense(10)")
        if each.is_placed or checked.count(each) > 1:
            raise InvalidValueError(f"{each!r} is already part of a model: make a new layer")
    if not any(each.has_parameters for each in checked):
        raise InvalidValueError("no layer has parameters: give at least one Conv2D or Dense")
    return checked
