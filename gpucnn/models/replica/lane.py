"""Lanes: the layers of a replica with buffers for one microbatch, and its passes through them."""

from collections.abc import Sequence

import numpy as np

from gpucnn.backends import Array, Backend, BatchMemory, Buffer, Shape
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers import (
    Batch,
    FusedConv2D,
    Layer,
    Step,
    Sums,
    by_itself,
    fuse,
    fuse_head,
    is_of_whole_batch,
    takes_bytes_as_they_are,
)
from gpucnn.losses import PlacedLoss
from gpucnn.models.replica.layout import lay_out, lay_out_state, part_of
from gpucnn.models.replica.objective import Objective

Metrics = tuple[Array, Array]
"""The loss of each image, real (N,), and 1 where it is classified correctly, else 0, likewise."""


class Lane:
    """Layers placed on a backend, whose parameters are views of flat vectors.

    Args:
        layers: built; they are placed here.
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
        gradients: as given.
        loss: the loss function.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        backend: Backend,
        input_shape: Shape,
        dtype: "np.dtype[np.floating]",
        parameters: Array,
        gradients: Array,
        state: Array,
        objective: Objective,
    ) -> None:
        self._backend, self.plain, self.gradients = backend, tuple(layers), gradients
        layout, of_state = lay_out(layers), lay_out_state(layers)
        for layer in layers:
            mine = [each for each in layout if each.layer is layer]
            its_parameters = {each.key: each.view(parameters) for each in mine}
            its_gradients = {each.key: each.view(gradients) for each in mine}
            its_state = part_of(state, [each for each in of_state if each.layer is layer])
            layer.place(backend, dtype, its_parameters, its_gradients, its_state)
        self.layers = fuse(layers, backend)
        self._normalizes_bytes = not takes_bytes_as_they_are(layers)
        self._objective = objective
        self._body = self.layers[: len(self.layers) - objective.omits_last]
        (outputs,) = self._body[-1].output_shape
        self._head = fuse_head(self.layers) if objective.can_fuse_loss else None
        self._of_whole_batches = [layer for layer in self.layers if is_of_whole_batch(layer)]
        self.loss = PlacedLoss(objective.loss, backend, outputs, dtype)
        self._images = BatchMemory(backend, Buffer(input_shape), dtype)
        self._classes = BatchMemory(backend, Buffer((), "int64"), dtype)
        self._targets = BatchMemory(backend, Buffer((outputs,)), dtype)
        self._weights = BatchMemory(backend, Buffer((1,)), dtype)
        self._losses, self._correct = (BatchMemory(backend, Buffer(()), dtype) for _ in range(2))

    def reserve(self, images: int, *, training: bool) -> None:
        """Reserve memory for microbatches of up to `images`, with gradients if `training`."""
        for layer in self.layers:
            layer.reserve(images, training=training)

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
        data.gather_images(indices, images, normalizes=self._normalizes_bytes)
        return images

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
        return by_itself(_forward(self._body, x, step))

    def forward_gathered(self, data: DeviceDataset, indices: Array) -> Array:
        """What the loss takes of a microbatch of a data set, without dropout.

        Args:
            data: all images.
            indices: int64 (n,), on the device.

        Returns:
            real (n, classes), which the next call overwrites.
        """
        return by_itself(self._forward_gathered(self._body, data, indices, None))

    def backward(self, logits_gradient: Array) -> None:
        """Compute `gradients` for the microbatch of the last `forward`.

        Args:
            logits_gradient: real (n, classes), the gradient of the loss with respect to the logits.
        """
        by_itself(_backward(self._body, logits_gradient))
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
        if head is None or batch.outputs is not None or not has_plain_classes(data):
            outputs = yield from self._forward_gathered(self._body, data, indices, now)
            if batch.outputs is not None:
                self.store_outputs(outputs, batch.position, batch.outputs, batch.size, rows.start)
            labels, metrics = self.load_labels(data, indices), self._metrics(len(indices))
            gradient = self.loss.gradient(outputs, labels, *metrics, images)
            self._weigh(data, indices, metrics[0], gradient)
            of_all = batch.losses, batch.correct
            self._backend.store_metrics(batch.position, *metrics, *of_all, batch.size, rows.start)
            yield from _backward(self._body, gradient)
        else:  # the last layers and the loss are one operation, which stores the metrics
            body = self.layers[: -len(head.layers)]
            features = yield from self._forward_gathered(body, data, indices, now)
            yield from _backward(body, head.gradients(features, now, batch))
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
            outputs: real (n, outputs), what `forward_gathered` returned.
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
        self, layers: Sequence[Layer], data: DeviceDataset, indices: Array, step: Step | None
    ) -> Sums[Array]:
        """The output of the first of the layers, `layers`, for images of a data set."""
        first = layers[0] if layers else None
        if isinstance(first, FusedConv2D) and first.can_gather(data.images):
            x = first.forward_gathered(data.images, indices, step)
            return (yield from _forward(layers[1:], x, step))
        return (yield from _forward(layers, self.load(data, indices), step))


def has_plain_classes(data: DeviceDataset) -> bool:
    """Whether each image has a class, and all count alike, as fused operations take it."""
    return data.labels is not None and data.labels.ndim == 1 and data.weights is None


def _forward(layers: Sequence[Layer], x: Array, step: Step | None) -> Sums[Array]:
    """The output of the last of consecutive layers."""
    for layer in layers:
        if step is not None and is_of_whole_batch(layer):
            output = yield from layer.forward_together(x, step)
        else:
            output = layer.forward(x, step)
        x = layer.as_operand(output, (len(x), *layer.output_shape)) if layer.is_own else output
    return x


def _backward(layers: Sequence[Layer], gradient: Array | None) -> Sums[None]:
    """Compute the gradients of consecutive layers, given that of their output."""
    for layer in reversed(layers):
        if gradient is None:
            return
        above = gradient
        if is_of_whole_batch(layer):
            gradient = yield from layer.backward_together(above)
        else:
            gradient = layer.backward(above)
        if layer.is_own and (gradient is not None or layer.needs_input_gradient):
            gradient = layer.as_operand(gradient, (len(above), *layer.input_shape))
