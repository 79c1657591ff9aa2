"""The layers of a network with memory of their own, for one thread."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from gpucnn.backends import Array, Backend, BatchMemory, Buffer, Shape
from gpucnn.batches import Batches
from gpucnn.layers import Layer, Step, fuse
from gpucnn.losses import SoftmaxCrossEntropy


class Lane:
    """What one thread needs to work on its part of a batch: layers, gradients, and memory.

    A network has a lane for each thread of its backend. They share its parameters; each has a
    gradient vector, of which its layers hold views. A part of a batch goes through in pieces, as
    many images at a time as the backend works through best.

    Args:
        layers: placed, with gradients in `gradients`.
        backend: where they are placed.
        input_shape: of one image.
        dtype: real, of the model.
        gradients: real (p,), the flat gradient vector of this lane.

    Attributes:
        layers: as they run, fused where the backend can, see `fuse`.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        backend: Backend,
        input_shape: Shape,
        dtype: "np.dtype[np.floating]",
        gradients: Array,
    ) -> None:
        self.backend, self.gradients, self._dtype = backend, gradients, dtype
        self.layers = fuse(layers, backend)
        self.loss = SoftmaxCrossEntropy(backend, layers[-1].output_shape[0], dtype)
        self._images = BatchMemory(backend, Buffer(input_shape), dtype)
        self._labels = BatchMemory(backend, Buffer((), "int64"), dtype)

    @cached_property
    def images_at_once(self) -> int | None:
        """How many images a piece has at most, None for no limit."""
        buffers = [layer.inference_buffers() | layer.training_buffers() for layer in self.layers]
        each = sum(buffer.size(self._dtype) for named in buffers for buffer in named.values())
        return self.backend.images_at_once(each)

    def pieces(self, part: slice) -> Iterator[slice]:
        """The pieces of a part of a batch, in order, of nearly the same size."""
        count = part.stop - part.start
        pieces = 1 if self.images_at_once is None else -(-count // self.images_at_once)
        return split(part, pieces)

    def reserve(self, images: int, *, training: bool = False) -> None:
        """Have memory for the pieces of a part of `images` images."""
        largest = images if self.images_at_once is None else min(images, self.images_at_once)
        for layer in self.layers:
            layer.reserve(largest, training=training)

    def load(self, data: Batches, indices: Array) -> Array:
        """The images of a piece, real (n, *input_shape), memory of this lane."""
        images = self._images[len(indices)]
        data.images(indices, images)
        return images

    def load_labels(self, data: Batches, indices: Array) -> Array:
        """The labels of a piece, int64 (n,), memory of this lane."""
        labels = self._labels[len(indices)]
        data.labels(indices, labels)
        return labels

    def arrange(self, x: Array) -> Array:
        """A piece of a C-contiguous batch, real (n, *input_shape), as the layers take it."""
        return self.backend.arrange(x, self._images[len(x)])

    def forward(self, x: Array, step: Step | None = None) -> Array:
        """The logits of a piece, real (n, classes), memory that the next call overwrites.

        Args:
            x: real (n, *input_shape), as `load` or `arrange` gives it.
            step: of the training; None where no gradients will be asked for.
        """
        for layer in self.layers:
            x = layer.forward(x, step)
        return x

    def backward(self, logits_gradient: Array) -> None:
        """The gradients of the piece of the last `forward`, to `gradients`.

        Args:
            logits_gradient: real (n, classes).
        """
        gradient: Array | None = logits_gradient
        for layer in reversed(self.layers):
            if gradient is None:
                return
            gradient = layer.backward(gradient)

    def learn(
        self,
        part: slice,
        data: Batches,
        indices: Array,
        losses: Array,
        correct: Array,
        step: Array | None,
    ) -> None:
        """The loss of a part of a batch, and its share of the gradients, to `gradients`.

        Args:
            part: which images of the batch.
            data: all images.
            indices: int64 (n,), on the device, the images of the batch.
            losses: real (n,), of which the part is written.
            correct: real (n,), of which the part is written.
            step: int64 (1,), the number of the training step; None without dropout.
        """
        pieces = list(self.pieces(part))
        for piece in pieces:
            x = self.load(data, indices[piece])
            labels = self.load_labels(data, indices[piece])
            logits = self.forward(x, Step(step, piece.start))
            self.backward(
                self.loss.gradient(logits, labels, losses[piece], correct[piece], len(indices))
            )
            self._add_up(is_first=piece is pieces[0], is_last=piece is pieces[-1])

    def _add_up(self, *, is_first: bool, is_last: bool) -> None:
        """Keep the sum of the gradients so far; after the last piece, give it."""
        if is_first and is_last:
            return
        if is_first:
            self.backend.copy(self.gradients, self._sum)
        elif is_last:
            self.backend.accumulate(self._sum, self.gradients)
        else:
            self.backend.accumulate(self.gradients, self._sum)

    @cached_property
    def _sum(self) -> Array:
        return self.backend.empty(self.gradients.shape, self._dtype)


def split(part: slice, pieces: int) -> Iterator[slice]:
    """A range in so many pieces, in order, whose sizes differ by one at the most."""
    count = part.stop - part.start
    for piece in range(pieces):
        start, stop = count * piece // pieces, count * (piece + 1) // pieces
        yield slice(part.start + start, part.start + stop)
