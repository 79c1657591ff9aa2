"""Layers with vectors and memory of their own: what one rank, or one caller, computes with."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, BatchMemory, Buffer, Shape
from gpucnn.datasets.device_dataset import DeviceDataset, is_finite
from gpucnn.errors import InvalidValueError
from gpucnn.layers import Layer, Step, fuse
from gpucnn.losses import SoftmaxCrossEntropy

LEAST_SHARD = 900_000
"""The multiply-adds of a shard's forward pass for which it pays to meet with another rank."""


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


def lay_out(layers: Sequence[Layer]) -> tuple[Parameter, ...]:
    """The parameters of built layers, one after the other in a flat vector."""
    parameters, start = [], 0
    for layer in layers:
        for key, shape in layer.parameter_shapes().items():
            parameters.append(Parameter(layer, key, shape, start))
            start += prod(shape)
    return tuple(parameters)


class Replica:
    """Layers on a backend, with a flat vector of parameters, one of gradients, and memory.

    The layers hold views of both vectors. A batch is split into shards, one for each of the
    backend's threads, and a shard is worked through in microbatches, as many images at a time as
    the backend works on best.

    Args:
        layers: built; they are placed here.
        backend: where.
        input_shape: of one image.
        dtype: real, of the model.

    Attributes:
        parameters: real (p,), of zeros at first.
        gradients: real (p,).
        plain: the layers as they were given.
        layers: as they run, fused where the backend can, see `fuse`.
        loss: of the logits.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        backend: Backend,
        input_shape: Shape,
        dtype: "np.dtype[np.floating]",
    ) -> None:
        self.backend, self.dtype = backend, dtype
        self.plain, self._input_shape = tuple(layers), input_shape
        layout = lay_out(layers)
        size = sum(prod(each.shape) for each in layout)
        self.parameters = backend.zeros((size,), dtype)
        self.gradients = backend.zeros((size,), dtype)
        for layer in layers:
            mine = [each for each in layout if each.layer is layer]
            parameters = {each.key: each.view(self.parameters) for each in mine}
            gradients = {each.key: each.view(self.gradients) for each in mine}
            layer.place(backend, dtype, parameters, gradients)
        self.layers = fuse(layers, backend)
        self.loss = SoftmaxCrossEntropy(backend, layers[-1].output_shape[0], dtype)
        self._images = BatchMemory(backend, Buffer(input_shape), dtype)
        self._labels = BatchMemory(backend, Buffer((), "int64"), dtype)
        self._least_shard = LEAST_SHARD
        self._shards: dict[int, list[slice]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process, a replica of the same layers, whose vectors are of zeros."""
        made_of = self.plain, self.backend, self._input_shape, self.dtype
        return Replica, made_of, {"_least_shard": self._least_shard}

    def twin(self) -> "Replica":
        """A replica beside this one, of the same parameters, to be used at the same time."""
        layers = [copy(layer) for layer in self.plain]
        twin = Replica(layers, self.backend.twin(), self._input_shape, self.dtype)
        twin.backend.copy(self.parameters, twin.parameters)
        return twin

    # How a batch is shared out

    def multiply_adds(self, images: int) -> int:
        """Those of the forward pass of so many images."""
        return images * sum(layer.multiply_adds() for layer in self.plain)

    def shards(self, batch: int) -> list[slice]:
        """The shards of a batch of `batch` images, in order.

        They depend on its size and the backend's number of threads alone, not on who works on them.
        """
        shards = self._shards.get(batch)
        if shards is None:
            count = self._count_shards(batch)
            shards = self._shards[batch] = list(split(slice(0, batch), count))
        return shards

    def microbatches(self, shard: slice) -> Iterator[slice]:
        """The microbatches of a shard, in order, of nearly the same size."""
        count = shard.stop - shard.start
        return split(shard, 1 if self._at_once is None else -(-count // self._at_once))

    def is_microbatch(self, batch: int) -> bool:
        """Whether a batch of `batch` images is worked on as a whole."""
        return len(self.shards(batch)) == 1 and batch <= (self._at_once or batch)

    def reserve(self, batch: int, *, training: bool = False) -> None:
        """Have memory for batches of up to `batch` images, for training steps if asked."""
        largest = self._largest_shard(batch)
        if self._at_once is not None:
            largest = min(largest, self._at_once)
        for layer in self.layers:
            layer.reserve(largest, training=training)

    @cached_property
    def _at_once(self) -> int | None:
        """How many images a microbatch has at most, None for no limit."""
        buffers = [layer.inference_buffers() | layer.training_buffers() for layer in self.layers]
        each = sum(buffer.size(self.dtype) for named in buffers for buffer in named.values())
        return self.backend.images_at_once(each)

    def _count_shards(self, batch: int) -> int:
        worth = self.multiply_adds(batch) // self._least_shard
        return max(min(self.backend.threads, worth, batch), 1)

    def _largest_shard(self, batch: int) -> int:
        """The images of the largest shard that a batch of up to `batch` images has.

        That may be a smaller batch's, just too small for another shard.
        """
        count, each = self._count_shards(batch), max(self.multiply_adds(1), 1)
        fullest = [min(batch, ((n + 1) * self._least_shard - 1) // each) for n in range(1, count)]
        return max(-(-images // shards) for shards, images in enumerate([*fullest, batch], 1))

    # Microbatches

    def load(self, data: DeviceDataset, indices: Array) -> Array:
        """The images of a microbatch, real (n, *input_shape), memory of this replica."""
        images = self._images[len(indices)]
        data.gather_images(indices, images)
        return images

    def load_labels(self, data: DeviceDataset, indices: Array) -> Array:
        """The labels of a microbatch, int64 (n,), memory of this replica."""
        labels = self._labels[len(indices)]
        data.gather_labels(indices, labels)
        return labels

    def to_layout(self, x: Array) -> Array:
        """A C-contiguous microbatch, real (n, *input_shape), as the layers take it."""
        return self.backend.to_layout(x, self._images[len(x)])

    def forward(self, x: Array, step: Step | None = None) -> Array:
        """The logits of a microbatch, real (n, classes), memory that the next call overwrites.

        Args:
            x: real (n, *input_shape), as `load` or `to_layout` gives it.
            step: of the training; None where no gradients will be asked for.
        """
        for layer in self.layers:
            x = layer.forward(x, step)
        return x

    def backward(self, logits_gradient: Array) -> None:
        """The gradients for the microbatch of the last `forward`, to `gradients`.

        Args:
            logits_gradient: real (n, classes).
        """
        gradient: Array | None = logits_gradient
        for layer in reversed(self.layers):
            if gradient is None:
                return
            gradient = layer.backward(gradient)

    # Gradients

    def loss_and_gradients(self, data: DeviceDataset) -> tuple[float, Array]:
        """The mean loss of some images, and its gradients, with dropout switched off.

        Returns:
            The loss, and real (p,), memory that the next call overwrites.
        """
        backend, count = self.backend, len(data)
        losses, correct = (backend.empty((count,), self.dtype) for _ in range(2))
        indices = backend.asarray(np.arange(count, dtype=np.int64))
        self.reserve(count, training=True)
        gradients = self.accumulate_gradients(
            self.shards(count), data, indices, losses, correct, None
        )
        return float(backend.to_host(losses).mean(dtype=np.float64)), gradients

    def accumulate_gradients(
        self,
        shards: Sequence[slice],
        data: DeviceDataset,
        indices: Array,
        losses: Array,
        correct: Array,
        step: Array | None,
    ) -> Array:
        """The gradients of some shards of a batch, added up in their order.

        For the same shards and memory it is the same sequence of operations on the same memory.

        Args:
            shards: of the batch.
            data: all images.
            indices: int64 (n,), on the device, the images of the batch.
            losses: real (n,), of which the shards are written, the loss of each image.
            correct: real (n,), of which the shards are written, 1 for each image that was
                classified correctly, else 0.
            step: int64 (1,), the number of the training step; None without dropout.

        Returns:
            real (p,), memory that the next call overwrites.
        """
        for shard in shards:
            self._accumulate_shard(shard, data, indices, losses, correct, step)
            if len(shards) > 1 and shard is shards[0]:
                self.backend.copy(self.gradients, self._shard_sum)
            elif len(shards) > 1:
                self.backend.accumulate(self.gradients, self._shard_sum)
        return self._shard_sum if len(shards) > 1 else self.gradients

    def _accumulate_shard(
        self,
        shard: slice,
        data: DeviceDataset,
        indices: Array,
        losses: Array,
        correct: Array,
        step: Array | None,
    ) -> None:
        """A shard's share of the gradients of the batch's mean loss, to `gradients`."""
        microbatches = list(self.microbatches(shard))
        for each in microbatches:
            x = self.load(data, indices[each])
            labels = self.load_labels(data, indices[each])
            logits = self.forward(x, Step(step, each.start))
            self.backward(
                self.loss.gradient(logits, labels, losses[each], correct[each], len(indices))
            )
            self._add_microbatch(is_first=each is microbatches[0], is_last=each is microbatches[-1])

    def _add_microbatch(self, *, is_first: bool, is_last: bool) -> None:
        """Keep the sum of the gradients so far; after the last microbatch, give it."""
        if is_first and is_last:
            return
        if is_first:
            self.backend.copy(self.gradients, self._microbatch_sum)
        elif is_last:
            self.backend.accumulate(self._microbatch_sum, self.gradients)
        else:
            self.backend.accumulate(self.gradients, self._microbatch_sum)

    @cached_property
    def _microbatch_sum(self) -> Array:
        return self.backend.empty(self.gradients.shape, self.dtype)

    @cached_property
    def _shard_sum(self) -> Array:
        return self.backend.empty(self.gradients.shape, self.dtype)


def split(whole: slice, count: int) -> Iterator[slice]:
    """A range in `count` pieces, in order, whose sizes differ by one at the most."""
    size = whole.stop - whole.start
    for each in range(count):
        start, stop = size * each // count, size * (each + 1) // count
        yield slice(whole.start + start, whole.start + stop)
