"""Inference with a replica, as one rank of a communicator, without dropout."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gpucnn.backends import Array, Communicator
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.models.replica import Replica


def compute_logits(replica: Replica, x: Array, logits: Array, communicator: Communicator) -> None:
    """Compute the logits of a batch.

    Args:
        replica: the model.
        x: real (n, *input_shape), C-contiguous, on the device.
        logits: real (n, classes), written; shared by the ranks.
        communicator: of the ranks, each of which computes its shards.
    """
    for shard in replica.shards(len(x))[communicator.rank :: communicator.size]:
        for rows in replica.microbatches(shard):
            replica.backend.copy(replica.forward(replica.to_layout(x[rows])), logits[rows])
    communicator.barrier()


class _Microbatch(NamedTuple):
    """Images of the data set, by range and by index, and their logits, overwritten by the next."""

    rows: slice
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
    """Compute the loss of each image, and whether it is classified correctly.

    Args:
        replica: the model.
        data: the n images, with labels.
        batch_size: images in a batch.
        communicator: of the ranks, each of which computes its shards.
        losses: real (n,), written; shared by the ranks.
        correct: real (n,), written, 1 or 0; shared by the ranks.
    """
    for rows, indices, logits in _forward_all(replica, data, batch_size, communicator):
        labels = replica.load_labels(data, indices)
        replica.loss.evaluate(logits, labels, losses[rows], correct[rows])
    communicator.barrier()


def classify(
    replica: Replica,
    data: DeviceDataset,
    batch_size: int,
    communicator: Communicator,
    probabilities: Array,
) -> None:
    """Compute the probability of each class for each image.

    Args:
        replica: the model.
        data: the n images; labels are not used.
        batch_size: images in a batch.
        communicator: of the ranks, each of which computes its shards.
        probabilities: real (n, classes), written; shared by the ranks.
    """
    for rows, _, logits in _forward_all(replica, data, batch_size, communicator):
        replica.backend.softmax(logits, probabilities[rows])
    communicator.barrier()


def _forward_all(
    replica: Replica, data: DeviceDataset, batch_size: int, communicator: Communicator
) -> Iterator[_Microbatch]:
    """Run the forward pass of this rank's images, a microbatch at a time."""
    count = len(data)
    indices = replica.backend.asarray(np.arange(count, dtype=np.int64))
    replica.reserve(min(batch_size, count))
    for start in range(0, count, batch_size):
        batch = indices[start : start + batch_size]
        for shard in replica.shards(len(batch))[communicator.rank :: communicator.size]:
            for each in replica.microbatches(shard):
                logits = replica.forward(replica.load(data, batch[each]))
                rows = slice(start + each.start, start + each.stop)
                yield _Microbatch(rows, batch[each], logits)
