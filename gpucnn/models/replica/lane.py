"""Lanes: the layers of a replica with buffers for one microbatch, and its passes through them."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from gpucnn.backends import Array, Backend, BatchMemory, Buffer, Calls, Shape
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers import (
    Batch,
    FusedConv2D,
    MixingLayer,
    Step,
    Sums,
    by_itself,
    fuse,
    fuse_head,
    is_of_whole_batch,
    takes_bytes_as_they_are,
)
from gpucnn.losses import PlacedLoss
from gpucnn.models.graph import IMAGES, Stretch, layers_of
from gpucnn.models.replica.bound import BoundPass, BoundPasses
from gpucnn.models.replica.layout import lay_out, lay_out_state, part_of
from gpucnn.models.replica.mixing import Mixing
from gpucnn.models.replica.objective import Objective
from gpucnn.models.replica.passes import Totals, backward, forward

Metrics = tuple[Array, Array]
"""The loss of each image, real (N,), and 1 where it is classified correctly, else 0, likewise."""


class Body(NamedTuple):
    """Stretches that are run for images, up to the loss or a part of it.

    Attributes:
        stretches: all of them.
        first: the first layer, if it alone takes the images and can gather them itself.
        after_first: the stretches without it.
    """

    stretches: tuple[Stretch, ...]
    first: FusedConv2D | None
    after_first: tuple[Stretch, ...]

    @classmethod
    def of(cls, stretches: Sequence[Stretch], omitted: int) -> "Body":
        """That of stretches without so many layers at the end, which are all in the last one."""
        *others, end = stretches
        kept = (*others, end._replace(layers=end.layers[: len(end.layers) - omitted]))
        beginning, *others = kept
        takers = sum(each.inputs.count(IMAGES) for each in kept)
        first = beginning.layers[0] if takers == 1 and beginning.layers else None
        after_first = beginning._replace(layers=beginning.layers[1:]), *others
        return cls(kept, first if isinstance(first, FusedConv2D) else None, after_first)


class Lane:
    """Layers placed on a backend, whose parameters are views of flat vectors.

    Args:
        stretches: of layers that are built; they are placed here.
        backend: where they run.
        input_shape: of one image.
        dtype: real, of the model.
        parameters: real (p,).
        gradients: real (p,).
        state: real (s,).
        objective: the loss, and what is predicted.

    Attributes:
        plain: the layers as given.
        layers: the layers as they run, fused where the backend can, see `fuse`.
        stretches: of these.
        totals: the sums of gradients, where several layers take an output.
        gradients: as given.
        loss: the loss function.
        bound: the passes of `infer` and `infer_gathered`, on a backend that `binds_calls`.
    """

    def __init__(
        self,
        stretches: Sequence[Stretch],
        backend: Backend,
        input_shape: Shape,
        dtype: "np.dtype[np.floating]",
        parameters: Array,
        gradients: Array,
        state: Array,
        objective: Objective,
    ) -> None:
        self.plain = layers = layers_of(stretches)
        self._backend, self.gradients = backend, gradients
        layout, of_state = lay_out(layers), lay_out_state(layers)
        for layer in layers:
            mine = [each for each in layout if each.layer is layer]
            its_parameters = {each.key: each.view(parameters) for each in mine}
            its_gradients = {each.key: each.view(gradients) for each in mine}
            its_state = part_of(state, [each for each in of_state if each.layer is layer])
            layer.place(backend, dtype, its_parameters, its_gradients, its_state)
        self.stretches = tuple(
            each._replace(layers=fuse(each.layers, backend)) for each in stretches
        )
        self.layers = layers_of(self.stretches)
        self.totals = Totals(self.stretches, backend, input_shape, dtype)
        self._normalizes_bytes = not takes_bytes_as_they_are(layers)
        self._objective = objective
        self._body = Body.of(self.stretches, int(objective.omits_last))
        (outputs,) = self._body.stretches[-1].layers[-1].output_shape
        self._head = fuse_head(self.stretches[-1].layers) if objective.can_fuse_loss else None
        if self._head is not None:
            self._before_head = Body.of(self.stretches, len(self._head.layers))
        self._of_whole_batches = [layer for layer in self.layers if is_of_whole_batch(layer)]
        self.loss = PlacedLoss(objective.loss, backend, outputs, dtype)
        self._mixing = None
        if isinstance(layers[0], MixingLayer):
            of_partners = PlacedLoss(objective.loss, backend, outputs, dtype)
            self._mixing = Mixing(layers[0], of_partners, backend, dtype)
        self._images = BatchMemory(backend, Buffer(input_shape), dtype)
        self._classes = BatchMemory(backend, Buffer((), "int64"), dtype)
        self._targets = BatchMemory(backend, Buffer((outputs,)), dtype)
        self._weights = BatchMemory(backend, Buffer((1,)), dtype)
        self._losses, self._correct = (BatchMemory(backend, Buffer(()), dtype) for _ in range(2))
        self._followed = 0
        self.bound = BoundPasses(backend, self._bind)

    def reserve(self, images: int, *, training: bool) -> None:
        """Reserve memory for microbatches of up to `images`, with gradients if `training`."""
        for layer in self.layers:
            layer.reserve(images, training=training)
        if training:
            self.totals.reserve(images)

    def buffers(self) -> Iterator[Buffer]:
        """The memory of each image of a microbatch in training."""
        for layer in self.layers:
            yield from (layer.inference_buffers() | layer.training_buffers()).values()
        yield from self.totals.buffers.values()

    # Images and labels

    def load(self, data: DeviceDataset, indices: Array) -> Array:
        """Gather the images of a microbatch.

        Args:
            data: all images.
            indices: int64 (n,), on the device.

        Returns:
            real (n, *input_shape), in the layout of the layers; the next call overwrites it.
        """
        images = self._images[len(indices)]
        self._gather(data, indices, images)
        return images

    def _gather(self, data: DeviceDataset, indices: Array, images: Array) -> None:
        data.gather_images(indices, images, normalizes=self._normalizes_bytes)

    def load_labels(self, data: DeviceDataset, indices: Array) -> Array:
        """Gather the labels of a microbatch, as the loss takes them; the next call overwrites them.

        Returns:
            int64 (n,), or real (n, outputs).
        """
        assert data.labels is not None
        memory = self._classes if data.labels.ndim == 1 else self._targets
        labels = memory[len(indices)]
        data.gather_labels(indices, labels)
        return labels

    def to_layout(self, x: Array) -> Array:
        """A C-contiguous microbatch, real (n, *input_shape), in the layout of the layers."""
        return self._backend.to_layout(x, self._images[len(x)])

    # Passes

    def forward(self, x: Array, step: Step | None = None) -> Array:
        """What the loss takes of a microbatch, which is the batch if it is one of training.

        Args:
            x: real (n, *input_shape), as returned by `load` or `to_layout`.
            step: the training step; None if `backward` will not be called.

        Returns:
            real (n, classes), which the next call overwrites.
        """
        return by_itself(forward(self._body.stretches, x, step))

    def follow(self, changes: int) -> None:
        """Let inference follow from the weights as they are once they have changed so often."""
        if changes != self._followed:
            self._followed = changes
            self.bound.renew()

    def infer(self, x: Array) -> Array:
        """What `forward` gives for a C-contiguous microbatch, real (n, *input_shape).

        On a backend that `binds_calls` it may be of bytes, and of any order in memory.
        """
        if not self._backend.binds_calls:
            return self.forward(self.to_layout(x))
        return self._inferred(x).output

    def predict(self, x: Array, predicts_softmax: bool | None = None) -> Array:
        """What the model predicts for a microbatch, on a backend that `binds_calls`.

        Args:
            x: as for `infer`.
            predicts_softmax: see `Objective`; None for what that of the lane says.

        Returns:
            real (n, outputs), which the next call overwrites.
        """
        if predicts_softmax is None:
            predicts_softmax = self._objective.predicts_softmax
        return self._inferred(x).predict(with_softmax=predicts_softmax)

    def _inferred(self, x: Array) -> BoundPass:
        """The pass that has computed its output for a microbatch."""
        bound = self.bound[len(x)]
        self._backend.copy(x, bound.images)
        if x.dtype == np.uint8:
            bound.take_bytes()
        bound.compute()
        return bound

    def infer_gathered(self, data: DeviceDataset, indices: Array) -> Array:
        """What the loss takes of a microbatch of a data set, without dropout.

        Args:
            data: all images.
            indices: int64 (n,), on the device.

        Returns:
            real (n, classes), which the next call overwrites.
        """
        if not self._backend.binds_calls:
            return by_itself(self._forward_gathered(self._body, data, indices, None))
        bound = self.bound[len(indices)]
        self._gather(data, indices, bound.images)
        bound.compute()
        return bound.output

    def _bind(self, images: int) -> BoundPass:
        x = self._images[images]
        return BoundPass(self._body.stretches, x, self._bind_bytes, self._bind_predictions)

    def _bind_bytes(self, images: Array, calls: Calls) -> None:
        if self._normalizes_bytes:
            self._backend.bind_normalization(images, calls)

    def _bind_predictions(self, outputs: Array, with_softmax: bool, calls: Calls) -> Array:
        """Add the calls of `store_outputs`, into memory of their own."""
        if with_softmax:
            predictions = self._backend.empty_local(outputs.shape, outputs.dtype)
            self._backend.bind_softmax(outputs, predictions, calls)
            return predictions
        return self.layers[-1].bind(outputs, calls) if self._objective.omits_last else outputs

    def backward(self, logits_gradient: Array) -> None:
        """Compute `gradients` for the microbatch of the last `forward`.

        Args:
            logits_gradient: real (n, classes), the gradient of the loss with respect to the logits.
        """
        by_itself(backward(self._body.stretches, logits_gradient, self.totals))
        self._backend.join()

    def compute_gradients(
        self, rows: slice, data: DeviceDataset, batch: Batch, step: Array | None
    ) -> Sums[None]:
        """Compute in `gradients` those of a microbatch, and store its metrics.

        Args:
            rows: the microbatch's, of the batch.
            data: all images.
            batch: whose mean loss it is.
            step: int64 (1,), the number of the training step; None without dropout.
        """
        indices, images = batch.indices[rows], len(batch.indices)
        now = Step(step, rows.start, images)
        head = self._head
        mixing = None if step is None else self._mixing
        is_plain = mixing is None and batch.outputs is None and has_plain_classes(data)
        if head is None or not is_plain:
            if mixing is None:
                outputs = yield from self._forward_gathered(self._body, data, indices, now)
            else:
                gather = partial(self._gather, data)
                mixed = mixing.mix(self.load(data, indices), batch.indices, now, gather)
                outputs = yield from forward(self._body.stretches, mixed.images, now)
            if batch.outputs is not None:
                self.store_outputs(outputs, batch.position, batch.outputs, batch.size, rows.start)
            labels, metrics = self.load_labels(data, indices), self._metrics(len(indices))
            gradient = self.loss.gradient(outputs, labels, *metrics, images)
            if mixing is not None:
                labels = self.load_labels(data, mixed.partners)
                mixing.add_loss(outputs, labels, mixed.shares, metrics, gradient, images)
            self._weigh(data, indices, metrics[0], gradient)
            of_all = batch.losses, batch.correct
            self._backend.store_metrics(batch.position, *metrics, *of_all, batch.size, rows.start)
            yield from backward(self._body.stretches, gradient, self.totals)
        else:  # the last layers and the loss are one operation, which stores the metrics
            before = self._before_head
            features = yield from self._forward_gathered(before, data, indices, now)
            below = head.gradients(features, now, batch)
            yield from backward(before.stretches, below, self.totals)
        self._backend.join()

    def store_metrics(
        self,
        outputs: Array,
        data: DeviceDataset,
        indices: Array,
        position: Array,
        of_all: Metrics,
        batch_size: int,
        first: int,
    ) -> None:
        """Store the metrics of a microbatch of a data set at their place among all images'.

        Args:
            outputs: real (n, outputs), what `infer_gathered` returned.
            data: all images.
            indices: int64 (n,), on the device.
            position: int64 (2,), that of the batch, see `Data`.
            of_all: of which n rows are written.
            batch_size: the size of a full batch.
            first: the number in the batch of the microbatch's first image.
        """
        labels, metrics = self.load_labels(data, indices), self._metrics(len(indices))
        self.loss.evaluate(outputs, labels, *metrics)
        self._weigh(data, indices, metrics[0])
        self._backend.store_metrics(position, *metrics, *of_all, batch_size, first)

    def store_outputs(
        self,
        outputs: Array,
        position: Array,
        of_all: Array,
        batch_size: int,
        first: int,
        predicts_softmax: bool | None = None,
    ) -> None:
        """Store what the model predicts for a microbatch at its place among all images'.

        Args:
            outputs: as for `store_metrics`.
            position: likewise.
            of_all: real (N, outputs), of which n rows are written.
            batch_size: as for `store_metrics`.
            first: likewise.
            predicts_softmax: see `Objective`; None for what that of the lane says.
        """
        if predicts_softmax is None:
            predicts_softmax = self._objective.predicts_softmax
        if predicts_softmax:
            self._backend.store_probabilities(position, outputs, of_all, batch_size, first)
            return
        if self._objective.omits_last:
            outputs = self.layers[-1].forward(outputs, None)
        self._backend.store_outputs(position, outputs, of_all, batch_size, first)

    def _metrics(self, count: int) -> Metrics:
        """Memory for those of a microbatch."""
        return self._losses[count], self._correct[count]

    def _weigh(
        self, data: DeviceDataset, indices: Array, losses: Array, gradient: Array | None = None
    ) -> None:
        """Multiply the losses and the gradients of images by their weights, if they have any."""
        if data.weights is not None:
            weights = self._weights[len(indices)]
            data.gather_weights(indices, weights)
            self._backend.weigh_rows(weights[:, 0], losses, gradient)

    def idle(self) -> Sums[None]:
        """Take part in the sums of `compute_gradients` on other ranks, without images."""
        for layer in self._of_whole_batches:
            yield from layer.idle_forward()
        for layer in reversed(self._of_whole_batches):
            yield from layer.idle_backward()

    def update_state(self) -> None:
        """Update the state of the layers by the batch of the last pass."""
        for layer in self._of_whole_batches:
            layer.update_state()

    def _forward_gathered(
        self, body: Body, data: DeviceDataset, indices: Array, step: Step | None
    ) -> Sums[Array]:
        """The output of `body` for images of a data set."""
        first = body.first
        if first is not None and first.can_gather(data.images):
            x = first.forward_gathered(data.images, indices, step)
            return forward(body.after_first, x, step)
        return forward(body.stretches, self.load(data, indices), step)


def has_plain_classes(data: DeviceDataset) -> bool:
    """Whether each image has a class, and all count alike, as fused operations take it."""
    return data.labels is not None and data.labels.ndim == 1 and data.weights is None
