"""Inference: what a replica makes of a set of images, together with the other ranks."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gpucnn.backends import Array, Communicator
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.models.replica import Replica


def compute_logits(replica: Replica, x: Array, logits: Array, communicator: Communicator) -> None:
    """The logits of a batch, with dropout switched off.

    Args:
        replica: computes them.
        x: real (n, *input_shape), C-contiguous, on the device.
        logits: real (n, classes), written; ranks share it.
        communicator: the ranks, each of which works on its shards.
    """
    for shard in replica.shards(len(x))[communicator.rank :: communicator.size]:
        for each in replica.microbatches(shard):
            replica.backend.copy(replica.forward(replica.to_layout(x[each])), logits[each])
    communicator.barrier()


class _Scores(NamedTuple):
    """The logits of some images, memory that the next ones overwrite."""

    images: slice
    indices: Array
    logits: Array


def measure(
    replica: Replica,
    data: DeviceDataset,
    batch_size: int,
    communicator: Communicator,
    losses: Array,
    correct: Array,
) -> None:
    """The loss of each image and whether it is classified correctly, with dropout switched off.

    Args:
        replica: computes the logits.
        data: the images, with labels.
        batch_size: images in a batch.
        communicator: the ranks, each of which works on its shards.
        losses: real (n,), written; ranks share it.
        correct: real (n,), 1 or 0, likewise.
    """
    for images, indices, logits in _scores(replica, data, batch_size, communicator):
        labels = replica.load_labels(data, indices)
        replica.loss.evaluate(logits, labels, losses[images], correct[images])
    communicator.barrier()


def classify(
    replica: Replica,
    data: DeviceDataset,
    batch_size: int,
    communicator: Communicator,
    probabilities: Array,
) -> None:
    """The probability of each class for each image, real (n, classes), to `probabilities`.

    The other arguments are those of `measure`; no labels are needed.
    """
    for images, _, logits in _scores(replica, data, batch_size, communicator):
        replica.backend.softmax(logits, probabilities[images])
    communicator.barrier()


def _scores(
    replica: Replica, data: DeviceDataset, batch_size: int, communicator: Communicator
) -> Iterator[_Scores]:
    """The logits of this rank's images, a microbatch at a time."""
    count = len(data)
    indices = replica.backend.asarray(np.arange(count, dtype=np.int64))
    replica.reserve(min(batch_size, count))
    for start in range(0, count, batch_size):
        batch = indices[start : start + batch_size]
        for shard in replica.shards(len(batch))[communicator.rank :: communicator.size]:
            for each in replica.microbatches(shard):
                logits = replica.forward(replica.load(data, batch[each]))
                images = slice(start + each.start, start + each.stop)
                yield _Scores(images, batch[each], logits)
