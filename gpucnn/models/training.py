"""Training: epochs of steps over a set of images, and what is measured on the way."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import isfinite
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import ALONE, Array, Backend, Communicator
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.errors import TrainingError
from gpucnn.models.replica import Replica
from gpucnn.optimizers import Optimizer

EpochRecord = dict[str, Any]
Progress = Callable[[int], None]
"""Is told of the number of images in each batch that is done."""


class Evaluation(NamedTuple):
    """The mean loss over some images, and the share of them that is classified correctly."""

    loss: float
    accuracy: float


@dataclass
class History:
    """What was measured in each epoch.

    Each of `epochs` has "epoch" (from 1), "loss" and "accuracy" (over the epoch's training steps,
    as they went), "seconds" (of the training steps alone), "images_per_second", and, if there are
    images for validation, "val_loss" and "val_accuracy" after it. Accuracies are in [0, 1].
    """

    epochs: list[EpochRecord] = field(default_factory=list)


class Metrics(NamedTuple):
    """The loss of each image, real (n,), and 1 if it was classified correctly, else 0, real (n,).

    They are on a device, and brought to the host once, at the end, so that no step waits for them.
    """

    losses: Array
    correct: Array

    @classmethod
    def empty(cls, backend: Backend, images: int, dtype: "np.dtype[np.floating]") -> "Metrics":
        """For so many images, not set."""
        return cls(*(backend.empty((images,), dtype) for _ in cls._fields))

    def of(self, images: slice) -> "Metrics":
        """Those of some images; views."""
        return Metrics(self.losses[images], self.correct[images])

    def means(self, backend: Backend) -> Evaluation:
        """The mean loss and accuracy, added up in float64."""
        losses, correct = (backend.to_host(each).mean(dtype=np.float64) for each in self)
        return Evaluation(float(losses), float(correct))


class Trainer:
    """Trains a replica on some images, together with the other ranks of its communicator.

    Each rank works on its shards of every batch; the gradients are summed over all, and every rank
    moves its own parameters, all alike. What a step needs is reserved here, or kept from the first
    one: later steps allocate nothing.

    Args:
        replica: is trained.
        optimizer: placed for the replica's parameters.
        data: the images, with labels.
        batch_size: images in a step.
        order: int64 (n,) for up to n images an epoch, which ranks share; new memory if None.
        metrics: likewise.

    Attributes:
        communicator: the ranks that take part; this one alone at first.
    """

    def __init__(
        self,
        replica: Replica,
        optimizer: Optimizer,
        data: DeviceDataset,
        batch_size: int,
        order: Array | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        backend = replica.backend
        self.replica, self.optimizer, self.data = replica, optimizer, data
        self.communicator: Communicator = ALONE
        self._batch_size = min(batch_size, len(data))
        self._order = backend.empty((len(data),), np.int64) if order is None else order
        self._metrics = metrics or Metrics.empty(backend, len(data), replica.dtype)
        self._indices = backend.empty((self._batch_size,), np.int64)
        self._batch_metrics = Metrics.empty(backend, self._batch_size, replica.dtype)
        self.continue_from(0, 0)
        replica.reserve(self._batch_size, training=True)

    def epoch(
        self, number: int, order: NDArray[np.int64], progress: Progress = lambda images: None
    ) -> EpochRecord:
        """Train for one epoch.

        Args:
            number: the epoch's, from 1.
            order: int64 (n,), the images in the order in which they are trained on.
            progress: is told of the number of images in each batch that is done.

        Returns:
            What `History` keeps of the epoch, without validation.

        Raises:
            TrainingError: the loss is no longer a finite number.
        """
        started = perf_counter()
        self.begin(order)
        with self.replica.backend.session():
            self.run(range(self.batches), progress)
        loss, accuracy = self.means()
        seconds = perf_counter() - started
        check_finite(loss, number)
        return {
            "epoch": number,
            "loss": loss,
            "accuracy": accuracy,
            "seconds": seconds,
            "images_per_second": len(order) / seconds,
        }

    # Parts of an epoch

    def begin(self, order: NDArray[np.int64]) -> None:
        """Begin an epoch over the images in `order`, int64 (n,)."""
        self.replica.backend.copy(order, self._order[: len(order)])
        self.continue_from(len(order), self.optimizer.iterations)

    def continue_from(self, images: int, iterations: int) -> None:
        """Go on in an epoch of so many images, which began after so many steps."""
        self._images, self._iterations = images, iterations

    @property
    def batches(self) -> int:
        """How many batches the epoch has."""
        return -(-self._images // self._batch_size)

    def run(self, batches: Iterable[int], progress: Progress = lambda images: None) -> None:
        """Do the training steps on some batches of the epoch, of which the first is 0."""
        for batch in batches:
            progress(self.step(batch))

    def step(self, batch: int) -> int:
        """The training step on a batch of the epoch; returns how many images that has.

        A step that an error has broken off before the optimizer's update can be done again.
        """
        start = batch * self._batch_size
        count = min(self._batch_size, self._images - start)
        shards = self._shards(count)
        self.replica.backend.copy(self._order[start : start + count], self._indices[:count])
        self.optimizer.iterations = self._iterations + batch
        self.optimizer.advance()
        gradients = self._accumulate_gradients(count)
        for shard in shards:
            self._keep_metrics(shard, start)
        self.communicator.all_reduce(gradients, len(self.replica.shards(count)))
        self.optimizer.update(self.replica.parameters, gradients)
        return count

    def means(self) -> Evaluation:
        """The mean loss and accuracy of the epoch, as it went."""
        return self._metrics.of(slice(self._images)).means(self.replica.backend)

    def _accumulate_gradients(self, count: int) -> Array:
        """Those of this rank's shards of the batch.

        For every batch of `count` images it is the same sequence of operations on the same memory,
        as is the optimizer's update, so that they can be recorded once and replayed. What changes,
        they read from there.
        """
        indices, (losses, correct) = self._indices[:count], self._batch_metrics.of(slice(count))
        return self.replica.accumulate_gradients(
            self._shards(count), self.data, indices, losses, correct, self.optimizer.step
        )

    def _keep_metrics(self, shard: slice, start: int) -> None:
        """Those of a shard of the batch that begins with image `start` of the epoch."""
        kept = slice(start + shard.start, start + shard.stop)
        self.replica.backend.copy(self._batch_metrics.losses[shard], self._metrics.losses[kept])
        self.replica.backend.copy(self._batch_metrics.correct[shard], self._metrics.correct[kept])

    def _shards(self, count: int) -> list[slice]:
        """Which this rank works on, of a batch of `count` images."""
        return self.replica.shards(count)[self.communicator.rank :: self.communicator.size]


def check_finite(loss: float, epoch: int) -> None:
    """Refuse to go on from a loss that is no number.

    Raises:
        TrainingError: the loss is NaN or infinite.
    """
    if not isfinite(loss):
        raise TrainingError(
            f"the loss became {loss} in epoch {epoch}: train with a lower learning rate, from the "
            "weights before that epoch, which the model still has"
        )


def epoch_order(seed: int, epoch: int, images: int, *, shuffle: bool = True) -> NDArray[np.int64]:
    """The order of the images in an epoch, int64 (images,), a new one for each if `shuffle`.

    It depends on the seed and the number of the epoch alone, so that a run which is resumed goes on
    as if it had not been interrupted. The leading 1 keeps it apart from the initial weights' draws.
    """
    order = np.arange(images, dtype=np.int64)
    return np.random.default_rng([1, seed, epoch]).permutation(order) if shuffle else order
