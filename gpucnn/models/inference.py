"""Inference with a replica, as one rank of a communicator, without dropout."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import ALONE, Array, Communicator
from gpucnn.backends.replay import Replayed
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.models.replica import Replica
from gpucnn.utils.arithmetic import ceil_div


def compute_logits(replica: Replica, x: Array, logits: Array, communicator: Communicator) -> None:
    """Compute the logits of a batch, see `bind_logits`."""
    bind_logits(replica, x, logits, communicator)()


def bind_logits(
    replica: Replica, x: Array, logits: Array, communicator: Communicator
) -> Callable[[], None]:
    """What computes the logits of a batch with the weights as they are now, whenever it is called.

    Args:
        replica: the model.
        x: real `(n, *input_shape)`, C-contiguous, on the device.
        logits: real (n, classes), written; shared by the ranks.
        communicator: of the ranks, each of which computes its shards.
    """
    replica.prepare_inference(len(x))
    infer, copy = replica.inferring.infer, replica.backend.copy
    mine = [(x[rows], logits[rows]) for rows in _microbatches(replica, len(x), communicator)]

    def compute() -> None:
        for images, out in mine:
            copy(infer(images), out)
        communicator.barrier()

    return compute


def measure(
    replica: Replica,
    data: DeviceDataset,
    batch_size: int,
    communicator: Communicator,
    losses: Array,
    correct: Array,
    outputs: Array | None = None,
    *,
    run_eagerly: bool = False,
) -> None:
    """Compute the loss of each image, and whether it is classified correctly.

    Args:
        replica: the model.
        data: the n images, with labels.
        batch_size: images in a batch.
        communicator: of the ranks, each of which computes its shards.
        losses: real (n,), written; shared by the ranks.
        correct: real (n,), written, 1 or 0; shared by the ranks.
        outputs: real (n, outputs), the predictions are written; shared by the ranks; or None.
        run_eagerly: whether batches are never recorded, also where the device can.
    """
    lane, metrics, size = replica.inferring, (losses, correct), min(batch_size, len(data))

    def work(position: Array, indices: Array) -> None:
        for rows in _microbatches(replica, len(indices), communicator):
            mine, first = indices[rows], rows.start
            found = lane.infer_gathered(data, mine)
            lane.store_metrics(found, data, mine, position, metrics, size, first)
            if outputs is not None:
                lane.store_outputs(found, position, outputs, size, first)

    _for_each_batch(replica, len(data), size, work, communicator, run_eagerly=run_eagerly)


def predict(
    replica: Replica,
    data: DeviceDataset,
    batch_size: int,
    communicator: Communicator,
    outputs: Array,
    *,
    predicts_softmax: bool | None = None,
    run_eagerly: bool = False,
) -> None:
    """Compute what the model predicts for each image, such as the probability of each class.

    Args:
        replica: the model.
        data: the n images; labels are not used.
        batch_size: images in a batch.
        communicator: of the ranks, each of which computes its shards.
        outputs: real (n, outputs), written; shared by the ranks.
        predicts_softmax: see `Objective`; None for what the replica's says.
        run_eagerly: as for `measure`.
    """
    lane, size = replica.inferring, min(batch_size, len(data))

    def work(position: Array, indices: Array) -> None:
        for rows in _microbatches(replica, len(indices), communicator):
            found = lane.infer_gathered(data, indices[rows])
            lane.store_outputs(found, position, outputs, size, rows.start, predicts_softmax)

    _for_each_batch(replica, len(data), size, work, communicator, run_eagerly=run_eagerly)


def predict_batch(
    replica: Replica, images: NDArray[Any], predicts_softmax: bool | None = None
) -> NDArray[Any]:
    """What `predict` gives for a single batch on the host, which it takes as it is.

    Args:
        replica: the model, which `is_known_finite`, on a backend that `binds_calls`.
        images: uint8 or real (n, *input_shape).
        predicts_softmax: as for `predict`.

    Returns:
        real (n, outputs).
    """
    replica.prepare_noticed(len(images))
    predict, microbatches = replica.inferring.predict, _microbatches(replica, len(images), ALONE)
    found = [predict(images[rows], predicts_softmax).copy() for rows in microbatches]
    return found[0] if len(found) == 1 else np.concatenate(found)


def _microbatches(replica: Replica, batch: int, communicator: Communicator) -> list[slice]:
    """Those of a batch of `batch` images that a rank computes, in order."""
    mine = replica.shards(batch)[communicator.rank :: communicator.size]
    return [rows for shard in mine for rows in replica.microbatches(shard)]


def _for_each_batch(
    replica: Replica,
    count: int,
    size: int,
    work: Callable[[Array, Array], None],
    communicator: Communicator,
    *,
    run_eagerly: bool,
) -> None:
    """Do `work` for each batch of a data set in its order, and wait until all ranks have.

    A batch is recorded where the device and the communicator can.

    Args:
        replica: the model, for whose batches memory is reserved.
        count: images of the data set.
        size: images of a full batch.
        work: is given the position of the batch, see `Data`, and the indices of its images.
        communicator: of the ranks.
        run_eagerly: whether batches are never recorded, also where the device can.
    """
    backend = replica.backend
    can_record = replica.can_record and not backend.binds_calls and not run_eagerly
    records = can_record and backend.records(communicator)
    replica.prepare_inference(size)
    position = backend.asarray(np.array([-1, 0]))
    order = backend.asarray(np.arange(count, dtype=np.int64))
    indices = backend.empty((size,), np.int64)
    factors = backend.zeros((ceil_div(count, size), 1), replica.dtype)  # of no optimizer

    def do(images: int) -> None:
        backend.next_batch(position, order, factors, indices, factors[0])
        work(position, indices[:images])

    batches: dict[int, Callable[[], None]] = {}
    for start in range(0, count, size):
        images = min(size, count - start)
        if images not in batches:
            once = partial(do, images)
            batches[images] = Replayed(backend, once) if records else once
        batches[images]()
    communicator.barrier()
