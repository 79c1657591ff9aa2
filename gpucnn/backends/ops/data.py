"""The batches of an epoch: their place in it, and their images and labels from a data set."""

from typing import Any

import numpy as np

from gpucnn.backends.calls import Calls, bindable
from gpucnn.backends.cpu.layout import images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.cuda.kernel import ITEMS, THREADS, kernel, over_parts
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.memory import Array, Memory
from gpucnn.backends.ops.bounds import EXACT, Bound, bounded, normalization
from gpucnn.utils.arithmetic import ceil_div


class Data(Memory):
    """Definitions of finding and gathering a batch.

    The position in an epoch is an array on the device, int64 (2,): the number of the batch in the
    epoch, from 0, and the number of the training step, from 1. So a step reads and writes the same
    memory each time, and a device can record it and replay it for the following batches.
    """

    @bounded(position=EXACT, indices=EXACT, factors=EXACT)
    def next_batch(
        self, position: Array, order: Array, epoch_factors: Array, indices: Array, factors: Array
    ) -> None:
        """Move on to the next batch of an epoch, and load what belongs to it.

        Args:
            position: int64 (2,), both of its numbers are increased by 1.
            order: int64 (N,), the indices of the epoch's images.
            epoch_factors: real (batches, k), the optimizer's factors for each batch.
            indices: int64 (n,), n being the size of a full batch: the next n of `order`, with zeros
                past its end.
            factors: real (k,), those of the batch.
        """
        position += 1
        number, size = int(position[0]), len(indices)
        batch = order[number * size : (number + 1) * size]
        indices[: len(batch)] = batch
        indices[len(batch) :] = 0
        factors[...] = epoch_factors[number]

    @bounded(epoch_losses=EXACT, epoch_correct=EXACT)
    def store_metrics(
        self,
        position: Array,
        losses: Array,
        correct: Array,
        epoch_losses: Array,
        epoch_correct: Array,
        batch_size: int,
        first: int = 0,
    ) -> None:
        """Store the metrics of a part of a batch at its place among the epoch's.

        Args:
            position: int64 (2,).
            losses: real (n,).
            correct: real (n,).
            epoch_losses: real (N,), of which n elements are written.
            epoch_correct: likewise.
            batch_size: the size of a full batch.
            first: the number in the batch of the part's first image.
        """
        start = int(position[0]) * batch_size + first
        epoch_losses[start : start + len(losses)] = losses
        epoch_correct[start : start + len(correct)] = correct

    @bounded(all_outputs=EXACT)
    def store_outputs(
        self,
        position: Array,
        outputs: Array,
        all_outputs: Array,
        batch_size: int,
        first: int = 0,
    ) -> None:
        """Store the outputs of a part of a batch at their place among all images'.

        Args:
            position: int64 (2,).
            outputs: real (n, k).
            all_outputs: real (N, k), of which n rows are written.
            batch_size: the size of a full batch.
            first: the number in the batch of the part's first image.
        """
        start = int(position[0]) * batch_size + first
        all_outputs[start : start + len(outputs)] = outputs

    @bounded(out=Bound(normalization, "one"))
    def gather_images(
        self, images: Array, indices: Array, out: Array, normalizes: bool = True
    ) -> None:
        """Gather the images of a batch, `out[i] = images[indices[i]]`; normalise uint8 pixels.

        Args:
            images: (N, h, w, c), uint8 or real. uint8 becomes `pixel / 255 - 0.5`, in [-0.5, 0.5].
            indices: int64 (n,), each in [0, N).
            out: real (n, h, w, c).
            normalizes: False to keep uint8 as the numbers that they are, 0 to 255.
        """
        batch = images[indices]
        is_normalized = normalizes and batch.dtype == np.uint8
        out[...] = batch.astype(out.dtype) / 255 - 0.5 if is_normalized else batch

    @bounded(out=EXACT)
    def gather_labels(self, labels: Array, indices: Array, out: Array) -> None:
        """Gather the labels of a batch, `out[i] = labels[indices[i]]`.

        Args:
            labels: int64 (N,).
            indices: int64 (n,), each in [0, N).
            out: int64 (n,).
        """
        out[...] = labels[indices]


class CpuData(CpuMemory, Data):
    """Gathering in NumPy: into a workspace, then into the layout of the layers, and normalised."""

    def next_batch(
        self, position: Array, order: Array, epoch_factors: Array, indices: Array, factors: Array
    ) -> None:
        number, size = position.item(0) + 1, len(indices)
        position[0], position[1] = number, position.item(1) + 1
        batch = order[number * size : (number + 1) * size]
        indices[: len(batch)] = batch
        if len(batch) < size:
            indices[len(batch) :] = 0
        factors[...] = epoch_factors[number]

    @bindable
    def gather_images(
        self,
        calls: Calls,
        images: Array,
        indices: Array,
        out: Array,
        normalizes: bool = True,
    ) -> None:
        pixels = self.workspace("pixels", out.shape, images.dtype)
        _add_taking(images, indices, pixels, calls)
        target = images_last(out)
        calls.copy(images_last(pixels), target)
        if normalizes and images.dtype == np.uint8:
            add_normalizing(target, calls)

    @bindable
    def gather_labels(self, calls: Calls, labels: Array, indices: Array, out: Array) -> None:
        _add_taking(labels, indices, out, calls)


def add_normalizing(pixels: Array, calls: Calls) -> None:
    """Add the calls that make of numbers 0 to 255 what `gather_images` makes of bytes."""
    for operation, number in ((np.divide, 255), (np.subtract, 0.5)):
        calls.add(operation, pixels, np.asarray(number, pixels.dtype), pixels)


def _add_taking(source: Array, indices: Array, out: Array, calls: Calls) -> None:
    # With the mode "raise", NumPy collects the result in a temporary array first, so as to leave
    # `out` untouched if an index is wrong. Indices are checked where they are made.
    calls.add(source.take, indices, 0, out, "clip")


def _gather_kernel(function: str) -> Any:
    return kernel(
        "gather.cu",
        {"images": "all *pixels", "indices": "images", "out": "images *pixels"},
        over_parts,
        macros=ITEMS,
        function=function,
    )


class CudaData(CudaMemory, Data):
    """Gathering in CUDA: a block copies part of an image, and normalises bytes on the way."""

    next_batch = kernel(
        "batch.cu",
        {
            "position": "2",
            "order": "images",
            "epoch_factors": "batches factor_count",
            "indices": "batch_size",
            "factors": "factor_count",
        },
        lambda sizes: (1,),
    )
    store_metrics = kernel(
        "batch.cu",
        {
            "position": "2",
            "losses": "rows",
            "correct": "rows",
            "epoch_losses": "images_of_epoch",
            "epoch_correct": "images_of_epoch",
        },
        lambda sizes: (ceil_div(sizes["rows"], THREADS),),
    )
    store_outputs = kernel(
        "batch.cu",
        {"position": "2", "outputs": "rows columns", "all_outputs": "images columns"},
        lambda sizes: (ceil_div(sizes["rows"] * sizes["columns"], THREADS),),
    )
    _gather_bytes = _gather_kernel("gather_bytes")
    _gather_reals = _gather_kernel("gather_reals")

    def gather_images(
        self, images: Array, indices: Array, out: Array, normalizes: bool = True
    ) -> None:
        if images.dtype == np.uint8:
            self._gather_bytes(images=images, indices=indices, out=out, normalizes=normalizes)
        else:
            self._gather_reals(images=images, indices=indices, out=out)

    gather_labels = kernel(
        "gather.cu",
        {"labels": "all", "indices": "count", "out": "count"},
        lambda sizes: (ceil_div(sizes["count"], THREADS),),
        macros=ITEMS,
    )
