"""Training: epochs of optimizer steps over a set of images."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import ALONE, Array, Communicator
from gpucnn.backends.replay import Replayed
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.layers import Batch
from gpucnn.metrics import Evaluation, Measures
from gpucnn.models.data import Part
from gpucnn.models.replica import Replica, has_plain_classes
from gpucnn.models.training.history import EpochRecord, check_finite
from gpucnn.models.training.metrics import Measured, Metrics, evaluation, kinds_of_metrics
from gpucnn.optimizers import Optimizer
from gpucnn.utils.arithmetic import ceil_div

STEPS_AT_ONCE = 8
"""Steps on full batches that are recorded together: between two recordings a GPU pauses."""

KEPT = 64
"""The most recordings that are kept, by the sizes of batches: each has memory of its own."""

Progress = Callable[[int], None]
"""Called after each batch with its number of images."""


class Trainer:
    """Data-parallel training of a replica, as one rank of its communicator.

    Each rank works on its shards of every batch; the gradients are summed over the ranks, and every
    rank makes the same update of its own parameters. All memory of a step is reserved here or by
    the first step: later steps allocate nothing.

    Args:
        replica: to be trained.
        optimizer: placed for the replica's parameters.
        data: the training images, with labels.
        batch_size: images in a step, unless an epoch says another number.
        order: int64 (n,), memory for the order of up to n images, shared by the ranks; allocated
            here if None.
        metrics: memory for the metrics of n images, shared by the ranks; allocated here if None.
        measures: what is measured besides the loss.

    Attributes:
        communicator: of the ranks that take part; initially this one alone.
        run_eagerly: whether steps are never recorded, also where the device can; initially not.
    """

    def __init__(
        self,
        replica: Replica,
        optimizer: Optimizer,
        data: DeviceDataset,
        batch_size: int,
        order: Array | None = None,
        metrics: Metrics | None = None,
        measures: Measures = Measures(),  # noqa: B008 - it is immutable
    ) -> None:
        backend = replica.backend
        self.replica, self.optimizer, self.data = replica, optimizer, data
        self.communicator: Communicator = ALONE
        self.run_eagerly = False
        self._full = min(batch_size, len(data))
        self._order = backend.empty((len(data),), np.int64) if order is None else order
        kinds = kinds_of_metrics(replica, measures, len(data))
        self._metrics, self._measures = metrics or Metrics.empty(backend, kinds), measures
        self._indices = backend.empty((len(data),), np.int64)
        self._position = backend.empty((2,), np.int64)
        factors = len(optimizer.all_factors(0))
        batches = ceil_div(len(data), self._full)
        self._penalties = backend.zeros((batches,), replica.dtype)
        self._epoch_factors = backend.empty((batches, factors), replica.dtype)
        self._factors = backend.empty((factors,), replica.dtype)
        classifier = replica.classifier
        self._is_classifier = (
            classifier is not None
            and has_plain_classes(data)
            and self._metrics.outputs is None
            and backend.can_fuse_classifier(classifier, data.images)
        )
        self._steps: dict[tuple[int, int, int], Replayed] = {}  # see `_replayed`
        is_recorded = optimizer.is_recorded_on(host=backend.is_host)
        self._can_record = backend.can_record and replica.can_record and is_recorded
        self._recorded_with: Communicator = ALONE
        self._settings: list[dict[str, Any]] = []
        self.continue_from(0, 0)

    def epoch(
        self, number: int, order: NDArray[np.int64], progress: Progress = lambda count: None
    ) -> EpochRecord:
        """Train for one epoch on the images with the indices `order`, int64 (n,), see below."""
        return self.epoch_of_parts(number, [Part(order, self._full)], progress)

    def epoch_of_parts(
        self, number: int, parts: Iterable[Part], progress: Progress = lambda count: None
    ) -> EpochRecord:
        """Train for one epoch.

        Args:
            number: the epoch's, from 1.
            parts: what to train on, one part after the other. A device may still work on one while
                the next is made.
            progress: called after each batch.

        Returns:
            The epoch's record, see `History`, without validation.

        Raises:
            TrainingError: the loss is NaN or infinite.
        """
        started, images = perf_counter(), 0
        measured: list[Measured] = []
        labels: NDArray[Any] | None = None
        for part in parts:
            if images:
                measured.append(self._measured(labels))
            self.begin_part(part)
            labels = self._labels_on_host()  # now: the next part may be made in their place
            with self.replica.backend.session():
                self.run(range(self.batches), progress)
            images += len(part.order)
        measured.append(self._measured(labels))
        found = evaluation(measured, self._measures)
        seconds = perf_counter() - started
        check_finite(found.loss, number)
        return {
            "epoch": number,
            **found._asdict(),
            "seconds": seconds,
            "images_per_second": images / seconds,
        }

    # Steps of an epoch

    def begin_part(self, part: Part) -> None:
        """Begin a part of an epoch, with its images in memory."""
        if part.chunk is not None:
            self.data.fill(*part.chunk)
        self.begin(part.order, part.batch_size)

    def begin(self, order: NDArray[np.int64], batch_size: int | None = None) -> None:
        """Begin an epoch, or a part of one, over the images with the indices `order`, int64 (n,).

        Args:
            order: see above.
            batch_size: images in a step; None for the trainer's.
        """
        self.replica.backend.copy(order, self._order[: len(order)])
        self.continue_from(len(order), self.optimizer.iterations, batch_size)

    def continue_from(self, count: int, iterations: int, batch_size: int | None = None) -> None:
        """Continue an epoch of `count` images that began at the optimizer step `iterations`."""
        self._count, self._iterations = count, iterations
        self._batch_size = min(batch_size or self._full, len(self.data))
        self.replica.reserve(self._batch_size, training=True)
        self.replica.take_penalties()
        self._note_settings()
        steps = range(iterations, iterations + self.batches)
        factors = [self.optimizer.all_factors(step) for step in steps]
        if factors:
            self.replica.backend.copy(np.array(factors), self._epoch_factors[: len(factors)])
        self._next_batch: int | None = None  # at the position on the device; None if unknown

    @property
    def batches(self) -> int:
        """The number of batches in the epoch."""
        return ceil_div(self._count, self._batch_size)

    def run(self, batches: Iterable[int], progress: Progress = lambda count: None) -> None:
        """Take a training step on each of `batches`, numbers of batches of the epoch, from 0."""
        in_groups = self._records and not self.replica.backend.is_host
        for group in self._groups(batches) if in_groups else ([each] for each in batches):
            self._run_group(group)
            for batch in group:
                progress(self._images(batch))

    def step(self, batch: int) -> int:
        """Take the training step on a batch of the epoch.

        A step that failed before the optimizer's update can be repeated.

        Args:
            batch: its number in the epoch, from 0.

        Returns:
            The number of images in the batch.
        """
        self._run_group([batch])
        return self._images(batch)

    def _images(self, batch: int) -> int:
        """The number of images in a batch of the epoch."""
        return min(self._batch_size, self._count - batch * self._batch_size)

    def _groups(self, batches: Iterable[int]) -> Iterator[list[int]]:
        """The batches whose steps are recorded together: up to `STEPS_AT_ONCE` that are full."""
        group: list[int] = []
        for batch in batches:
            if group and batch != group[-1] + 1:
                yield from ([each] for each in group)
                group = []
            group.append(batch)
            if self._images(batch) < self._batch_size:
                yield from ([each] for each in group)
                group = []
            elif len(group) == STEPS_AT_ONCE:
                yield group
                group = []
        yield from ([each] for each in group)

    def _run_group(self, batches: list[int]) -> None:
        """Take the training steps on consecutive batches of as many images each."""
        first, count, steps = batches[0], self._images(batches[0]), len(batches)
        self._seek(first)
        self.optimizer.iterations = self._iterations + first + steps
        if self._records:
            self._replayed(count, steps)()
        else:
            self._take_steps(count, steps)
        self._next_batch = first + steps

    @property
    def _records(self) -> bool:
        """Whether steps are recorded: where the device and the communicator can."""
        can_record = self._can_record and not self.run_eagerly
        return can_record and self.replica.backend.records(self.communicator)

    def _note_settings(self) -> None:
        """Drop recorded steps if a number that they hold, such as a dropout rate, was changed."""
        if not self._records:
            return
        settings = [self.optimizer.__getstate__(), *self.replica.settings]
        settings[0].pop("learning_rate")  # which is read from the epoch's factors
        if settings != self._settings:
            self._settings = settings
            self._steps.clear()

    def _replayed(self, count: int, steps: int) -> Replayed:
        """Some steps on batches of `count` images, recorded."""
        if self._recorded_with is not self.communicator:
            self._steps.clear()
            self._recorded_with = self.communicator
        key = self._batch_size, count, steps
        work = self._steps.get(key)
        if work is None:
            while len(self._steps) >= KEPT:
                del self._steps[next(iter(self._steps))]
            take = partial(self._take_steps, count, steps)
            work = self._steps[key] = Replayed(self.replica.backend, take)
        return work

    def _seek(self, batch: int) -> None:
        """Set the position on the device before a batch, unless the last step left it there."""
        if batch != self._next_batch:
            position = np.array([batch - 1, self._iterations + batch])
            self.replica.backend.copy(position, self._position)
        self._next_batch = None  # until the step is done

    def _take_steps(self, count: int, steps: int) -> None:
        """Take the training steps on the next batches, of `count` images each."""
        for _ in range(steps):
            self._take_step(count)

    def _take_step(self, count: int) -> None:
        """Take the training step on the next batch, of `count` images.

        For all batches of `count` images this is the same sequence of operations on the same
        memory, from which they read what changes: so a device can record and replay it.
        """
        if self._is_classifier and self.communicator.size == 1:
            gradients = self._classifier_gradients(count)
        else:
            gradients = self._gradients(count)
        self.replica.penalize(gradients, self._position, self._penalties)
        self.replica.update_state()
        self._share_state(count)
        self.optimizer.apply(self.replica.parameters, gradients, self._factors)

    def _share_state(self, count: int) -> None:
        """After a batch of `count` images: have on all ranks the state that rank 0 alone can know.

        In several shards all have it from the sums that they exchange.
        """
        state = self.replica.state
        if self.communicator.size > 1 and state.size and len(self.replica.shards(count)) == 1:
            self.replica.backend.call(self.communicator.broadcast, state)

    def _gradients(self, count: int) -> Array:
        """Move on to the next batch; the gradients of its mean loss, summed over the ranks."""
        assert self.data.labels is not None
        size = self._batch_size
        indices = self._indices[:size]
        self.replica.backend.next_batch(
            self._position, self._order, self._epoch_factors, indices, self._factors
        )
        batch = Batch(self.data.labels, indices[:count], self._position, size, *self._metrics)
        gradients = self.replica.accumulate_gradients(
            self._shards(count), self.data, batch, self._position[1:], self.communicator
        )
        contributors = len(self.replica.shards(count))
        self.replica.backend.call(self.communicator.all_reduce, gradients, contributors)
        return gradients

    def _classifier_gradients(self, count: int) -> Array:
        """The same as one operation."""
        replica, data = self.replica, self.data
        assert replica.classifier is not None
        assert data.labels is not None
        replica.backend.conv_classifier_gradients(
            replica.classifier,
            data.images,
            data.labels,
            self._position,
            self._order,
            self._epoch_factors,
            self._factors,
            self._metrics.losses,
            self._metrics.correct,
            self._batch_size,
            count,
            replica.parameters,
            replica.gradients,
        )
        return replica.gradients

    def means(self) -> Evaluation:
        """What is measured, the mean loss first, over the training steps since `begin`."""
        return evaluation([self._measured(self._labels_on_host())], self._measures)

    def _measured(self, labels: NDArray[Any] | None) -> Measured:
        """The metrics of the training steps since `begin`, once these are done."""
        metrics = self._metrics.of(slice(self._count))
        return metrics.on_host(self.replica.backend, labels, self._penalties_on_host())

    def _labels_on_host(self) -> NDArray[Any] | None:
        """The labels in the order of training, if there are metrics that need them."""
        if not self._measures.needs_outputs:
            return None
        assert self.data.labels is not None
        return self.replica.backend.to_host(self.data.labels[self._order[: self._count]])

    def _penalties_on_host(self) -> NDArray[Any] | None:
        """The penalty in the step that each image was in, if there is any."""
        if not self.replica.is_penalized:
            return None
        penalties = self.replica.backend.to_host(self._penalties)[: self.batches]
        return np.repeat(penalties, [self._images(batch) for batch in range(self.batches)])

    def _shards(self, count: int) -> list[slice]:
        """This rank's shards of a batch of `count` images."""
        return self.replica.shards(count)[self.communicator.rank :: self.communicator.size]


def epoch_order(seed: int, epoch: int, images: int, *, shuffle: bool = True) -> NDArray[np.int64]:
    """The order of training in an epoch, int64 (images,), a permutation per epoch if `shuffle`.

    It depends on the seed and the number of the epoch alone, so that a resumed run continues as if
    it had not been interrupted. The leading 1 keeps the draws apart from the initial weights'.
    """
    order = np.arange(images, dtype=np.int64)
    return np.random.default_rng([1, seed, epoch]).permutation(order) if shuffle else order
