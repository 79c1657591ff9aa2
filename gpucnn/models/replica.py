"""Replicas: the layers of a model with parameters, gradients and buffers of their own.

Each rank, and each concurrent user of a model, computes with a replica.
"""

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
from gpucnn.layers import Batch, FusedConv2D, Layer, Step, as_classifier, fuse, fuse_head
from gpucnn.losses import SoftmaxCrossEntropy
from gpucnn.utils.arithmetic import ceil_div

LEAST_SHARD = 900_000
"""Multiply-adds of a shard's forward pass from which it pays for the synchronisation of ranks."""


@dataclass(frozen=True)
class Parameter:
    """Where a parameter lies: its layer, its name in it, and its offset in the flat vector."""

    layer: Layer
    key: str
    shape: Shape
    start: int

    @property
    def name(self) -> str:
        """The parameter's name within the model, such as "conv2d.kernel"."""
        return f"{self.layer.name}.{self.key}"

    def check(self, values: NDArray[Any], dtype: "np.dtype[np.floating]") -> None:
        """Check values for the parameter of a model of `dtype`.

        Raises:
            InvalidValueError: they have another shape, or are not finite numbers of `dtype`.
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
        """A view of the parameter in the flat vector `vector`, in the parameter's shape."""
        return vector[self.start : self.start + prod(self.shape)].reshape(self.shape)


def lay_out(layers: Sequence[Layer]) -> tuple[Parameter, ...]:
    """Place the parameters of built layers one after the other in a flat vector."""
    parameters, start = [], 0
    for layer in layers:
        for key, shape in layer.parameter_shapes().items():
            parameters.append(Parameter(layer, key, shape, start))
            start += prod(shape)
    return tuple(parameters)


class Replica:
    """Layers on a backend, with flat vectors of parameters and gradients, and buffers.

    The layers hold views of both vectors. A batch is split into shards, up to one for each of the
    backend's threads, and a shard into microbatches of the size that suits the backend's caches.

    Args:
        layers: built; they are placed here.
        backend: where they run.
        input_shape: of one image.
        dtype: real, of the model.

    Attributes:
        parameters: real (p,), initially zeros.
        gradients: real (p,).
        plain: the layers as given.
        layers: the layers as they run, fused where the backend can, see `fuse`.
        classifier: all layers and the loss as one operation, if they are one.
        loss: the loss function of the logits.
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
        self.classifier = as_classifier(layers)
        self._head = fuse_head(self.layers)
        self.loss = SoftmaxCrossEntropy(backend, layers[-1].output_shape[0], dtype)
        self._images = BatchMemory(backend, Buffer(input_shape), dtype)
        self._labels = BatchMemory(backend, Buffer((), "int64"), dtype)
        self._losses, self._correct = (BatchMemory(backend, Buffer(()), dtype) for _ in range(2))
        self._least_shard = LEAST_SHARD
        self._shards: dict[int, list[slice]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the layers without the vectors: in another process, these are zeros."""
        arguments = self.plain, self.backend, self._input_shape, self.dtype
        return Replica, arguments, {"_least_shard": self._least_shard}

    def twin(self) -> "Replica":
        """A copy with the same parameters, in memory of its own, for concurrent use."""
        layers = [copy(layer) for layer in self.plain]
        twin = Replica(layers, self.backend.twin(), self._input_shape, self.dtype)
        twin.backend.copy(self.parameters, twin.parameters)
        return twin

    # Shards and microbatches of a batch

    def multiply_adds(self, images: int) -> int:
        """The multiply-adds of the forward pass of `images` images."""
        return images * sum(layer.multiply_adds() for layer in self.plain)

    def shards(self, batch: int) -> list[slice]:
        """The shards of a batch of `batch` images, in order.

        They depend on the size of the batch and the backend's number of threads alone, not on how
        many ranks there are.
        """
        shards = self._shards.get(batch)
        if shards is None:
            count = self._count_shards(batch)
            shards = self._shards[batch] = list(split(slice(0, batch), count))
        return shards

    def microbatches(self, shard: slice) -> Iterator[slice]:
        """The microbatches of a shard, in order, whose sizes differ by at most one."""
        count = shard.stop - shard.start
        limit = self._largest_microbatch
        return split(shard, 1 if limit is None else ceil_div(count, limit))

    def is_microbatch(self, batch: int) -> bool:
        """Whether a batch of `batch` images is a single microbatch."""
        return len(self.shards(batch)) == 1 and batch <= (self._largest_microbatch or batch)

    def reserve(self, batch: int, *, training: bool = False) -> None:
        """Reserve memory for batches of up to `batch` images, with gradients if `training`."""
        largest = self._largest_shard(batch)
        if self._largest_microbatch is not None:
            largest = min(largest, self._largest_microbatch)
        for layer in self.layers:
            layer.reserve(largest, training=training)

    @cached_property
    def _largest_microbatch(self) -> int | None:
        """The maximum number of images in a microbatch; None for no limit."""
        buffers = [layer.inference_buffers() | layer.training_buffers() for layer in self.layers]
        each = sum(buffer.size(self.dtype) for named in buffers for buffer in named.values())
        return self.backend.images_at_once(each)

    def _count_shards(self, batch: int) -> int:
        worth = self.multiply_adds(batch) // self._least_shard
        return max(min(self.backend.threads, worth, batch), 1)

    def _largest_shard(self, batch: int) -> int:
        """The largest shard, in images, of all batches of up to `batch` images.

        It may be that of a smaller batch which is just too small for one more shard.
        """
        count, each = self._count_shards(batch), max(self.multiply_adds(1), 1)
        fullest = [min(batch, ((n + 1) * self._least_shard - 1) // each) for n in range(1, count)]
        return max(ceil_div(images, shards) for shards, images in enumerate([*fullest, batch], 1))

    # Forward and backward passes of a microbatch

    def load(self, data: DeviceDataset, indices: Array) -> Array:
        """Gather the images of a microbatch.

        Args:
            data: all images.
            indices: int64 (n,), on the device.

        Returns:
            real (n, *input_shape), in the layout of the layers; the next call overwrites it.
        """
        images = self._images[len(indices)]
        data.gather_images(indices, images)
        return images

    def load_labels(self, data: DeviceDataset, indices: Array) -> Array:
        """Gather the labels of a microbatch: int64 (n,), which the next call overwrites."""
        labels = self._labels[len(indices)]
        data.gather_labels(indices, labels)
        return labels

    def to_layout(self, x: Array) -> Array:
        """A C-contiguous microbatch, real (n, *input_shape), in the layout of the layers."""
        return self.backend.to_layout(x, self._images[len(x)])

    def forward(self, x: Array, step: Step | None = None) -> Array:
        """The logits of a microbatch.

        Args:
            x: real (n, *input_shape), as returned by `load` or `to_layout`.
            step: the training step; None if `backward` will not be called.

        Returns:
            real (n, classes), which the next call overwrites.
        """
        return _forward(self.layers, x, step)

    def forward_gathered(self, data: DeviceDataset, indices: Array) -> Array:
        """The logits of a microbatch of a data set, without dropout.

        Args:
            data: all images.
            indices: int64 (n,), on the device.

        Returns:
            real (n, classes), which the next call overwrites.
        """
        return self._forward_gathered(self.layers, data, indices, None)

    def backward(self, logits_gradient: Array) -> None:
        """Compute `gradients` for the microbatch of the last `forward`.

        Args:
            logits_gradient: real (n, classes), the gradient of the loss with respect to the logits.
        """
        _backward(self.layers, logits_gradient)
        self.backend.join()

    # Gradients of a batch

    def loss_and_gradients(self, data: DeviceDataset) -> tuple[float, Array]:
        """The mean loss over all images of `data`, and its gradients, without dropout.

        Returns:
            The loss, and real (p,), which the next call overwrites.
        """
        backend, count = self.backend, len(data)
        assert data.labels is not None
        losses, correct = (backend.empty((count,), self.dtype) for _ in range(2))
        indices = backend.asarray(np.arange(count, dtype=np.int64))
        position = backend.zeros((2,), np.int64)
        batch = Batch(data.labels, indices, position, count, losses, correct)
        self.reserve(count, training=True)
        gradients = self.accumulate_gradients(self.shards(count), data, batch, None)
        return float(backend.to_host(losses).mean(dtype=np.float64)), gradients

    def accumulate_gradients(
        self,
        shards: Sequence[slice],
        data: DeviceDataset,
        batch: Batch,
        step: Array | None,
    ) -> Array:
        """The gradients of the batch's mean loss over some of its shards, summed in their order.

        For the same shards and arrays this is the same sequence of operations on the same memory.

        Args:
            shards: of the batch, in order; empty for a rank without work.
            data: all images.
            batch: the metrics of the shards' images are written.
            step: int64 (1,), the number of the training step; None without dropout.

        Returns:
            real (p,), which the next call overwrites; not set if there are no shards.
        """
        for shard in shards:
            self._accumulate_shard(shard, data, batch, step)
            if len(shards) > 1 and shard is shards[0]:
                self.backend.copy(self.gradients, self._shard_sum)
            elif len(shards) > 1:
                self.backend.accumulate(self.gradients, self._shard_sum)
        return self._shard_sum if len(shards) > 1 else self.gradients

    def _accumulate_shard(
        self, shard: slice, data: DeviceDataset, batch: Batch, step: Array | None
    ) -> None:
        """Compute in `gradients` the gradients of the batch's mean loss over a shard."""
        microbatches = list(self.microbatches(shard))
        for rows in microbatches:
            self._compute_gradients(rows, data, batch, Step(step, rows.start))
            self._add_microbatch(is_first=rows is microbatches[0], is_last=rows is microbatches[-1])
        if self._head is None:
            metrics = self._batch_metrics(len(batch.indices), shard)
            self.backend.store_metrics(
                batch.position, *metrics, batch.losses, batch.correct, batch.size, shard.start
            )

    def _compute_gradients(
        self, rows: slice, data: DeviceDataset, batch: Batch, step: Step
    ) -> None:
        """Compute in `gradients` those of a microbatch, the rows `rows` of a batch."""
        indices, images = batch.indices[rows], len(batch.indices)
        if self._head is None:
            logits = self._forward_gathered(self.layers, data, indices, step)
            labels, metrics = self.load_labels(data, indices), self._batch_metrics(images, rows)
            self.backward(self.loss.gradient(logits, labels, *metrics, images))
            return
        body = self.layers[: -len(self._head.layers)]
        features = self._forward_gathered(body, data, indices, step)
        _backward(body, self._head.gradients(features, step, batch))
        self.backend.join()

    def _forward_gathered(
        self, layers: Sequence[Layer], data: DeviceDataset, indices: Array, step: Step | None
    ) -> Array:
        """The output of the first of the layers, `layers`, for images of a data set."""
        first = layers[0] if layers else None
        if isinstance(first, FusedConv2D) and first.can_gather(data.images):
            return _forward(layers[1:], first.forward_gathered(data.images, indices, step), step)
        return _forward(layers, self.load(data, indices), step)

    def _batch_metrics(self, batch: int, rows: slice) -> tuple[Array, Array]:
        """The losses, and what is correct, of some rows of a batch of `batch` images."""
        return self._losses[batch][rows], self._correct[batch][rows]

    def _add_microbatch(self, *, is_first: bool, is_last: bool) -> None:
        """Add `gradients` to the sum over microbatches; the last one leaves the sum in them."""
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


def _forward(layers: Sequence[Layer], x: Array, step: Step | None) -> Array:
    """The output of the last of consecutive layers."""
    for layer in layers:
        x = layer.forward(x, step)
    return x


def _backward(layers: Sequence[Layer], gradient: Array | None) -> None:
    """Compute the gradients of consecutive layers, given that of their output."""
    for layer in reversed(layers):
        if gradient is None:
            return
        gradient = layer.backward(gradient)


def split(whole: slice, count: int) -> Iterator[slice]:
    """Split a range into `count` consecutive ranges whose sizes differ by at most one."""
    size = whole.stop - whole.start
    for number in range(count):
        start, stop = size * number // count, size * (number + 1) // count
        yield slice(whole.start + start, whole.start + stop)
