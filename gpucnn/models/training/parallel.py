"""Training and inference split over worker processes, see `gpucnn.models.training.sharing`."""

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from copy import copy
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import ALONE, Array, Communicator
from gpucnn.backends.ranks.nested import nested
from gpucnn.backends.ranks.world import world
from gpucnn.backends.workers.in_worker import Context
from gpucnn.backends.workers.pool import pool
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.errors import DeviceError
from gpucnn.metrics import Evaluation, Measures
from gpucnn.models import inference
from gpucnn.models.data import Chunk, ChunkLayout, Labelled, Part
from gpucnn.models.inference import measure
from gpucnn.models.replica import Replica
from gpucnn.models.training.agreement import share_of
from gpucnn.models.training.arrays import (
    TEST,
    chunk_of,
    data_of,
    labelled_arrays,
    memory_of,
    metric_kinds,
    stored_metrics,
)
from gpucnn.models.training.metrics import Measured, Metrics, evaluation, penalties_now
from gpucnn.models.training.sharing import Arrays, Kinds, Sharing, count_workers, load_vectors
from gpucnn.models.training.trainer import Progress, Trainer
from gpucnn.optimizers import Optimizer

# Training


class ParallelTrainer(Trainer):
    """A `Trainer` whose other ranks are worker processes.

    Args:
        twin: a twin of the model's replica, which can be used meanwhile.
        optimizer: the model's; a copy of it is used.
        data: to train on, or the layout of a chunk that is filled with what to train on.
        batch_size: images in a step, and in a batch of `validate`, unless a part says otherwise.
        validation: the same of `validate`, or None.
        measures: what is measured besides the loss.

    Attributes:
        chunk: memory for parts to train on, if a layout was given.
        test_chunk: memory for parts of the validation data, likewise.
    """

    chunk: Chunk | None = None
    test_chunk: Chunk | None = None

    def __init__(
        self,
        twin: Replica,
        optimizer: Optimizer,
        data: Labelled | ChunkLayout,
        batch_size: int,
        validation: Labelled | ChunkLayout | None = None,
        measures: Measures = Measures(),  # noqa: B008 - it is immutable
    ) -> None:
        optimizer.check_slots()
        self._ranks = world()
        twin.spread_over(self._ranks.size)
        self._programs = twin.backend.across(self._ranks.communicator)
        mine = copy(optimizer)
        mine.place(twin.backend, twin.parameters, twin.layout)
        given, new = memory_of("", data, twin, measures)
        count = data.images if isinstance(data, ChunkLayout) else len(data.images)
        new["order"] = (count,), np.int64
        if validation is not None:
            of_test = memory_of(TEST, validation, twin, measures)
            given, new = given | of_test[0], new | of_test[1]
        workers = count_workers(twin, count, batch_size)
        if workers:
            new |= {name: (a.shape, a.dtype) for name, a in _state(twin, mine).items()}
        programs = self._ranks.rank, self._ranks.size
        set_up = partial(_set_up_training, optimizer=mine, batch_size=batch_size, programs=programs)
        users = (mine, mine.learning_rate, twin.objective.loss)
        self._sharing = Sharing(twin, workers, given, new, set_up, users)
        arrays = self._sharing.arrays
        super().__init__(twin, mine, *_training(twin, arrays, batch_size), measures)
        self.communicator = self._without_workers = self._with(ALONE)
        if isinstance(data, ChunkLayout):
            self.chunk = chunk_of("", data, arrays, twin)
        if validation is not None:
            self._test = _test(twin, arrays)
            self._test_batch_size = batch_size  # which may be more than there are to train on
        if isinstance(validation, ChunkLayout):
            self.test_chunk = chunk_of(TEST, validation, arrays, twin)

    def load(self, replica: Replica, optimizer: Optimizer) -> None:
        """Copy the state of the model: parameters, optimizer state, attributes set by the user.

        What a caller changed between two epochs thus takes effect.
        """
        self._copy_state(_state(replica, optimizer), _state(self.replica, self.optimizer))
        self.optimizer.iterations = optimizer.iterations
        _set(self, _settings(replica, optimizer))

    def store(self, replica: Replica, optimizer: Optimizer) -> None:
        """Copy the state back to the model; the attributes of layers are those of rank 0."""
        self._copy_state(_state(self.replica, self.optimizer), _state(replica, optimizer))
        optimizer.iterations = self.optimizer.iterations
        replica.settings = self.replica.settings

    def lend(self, replica: Replica, optimizer: Optimizer) -> tuple[int, Arrays]:
        """Store the state for a while; returns the model's own, for `take_back`."""
        vectors = _state(replica, optimizer).items()
        kept = {name: replica.backend.to_host(array) for name, array in vectors}
        own = optimizer.iterations, kept
        self.store(replica, optimizer)
        return own

    def take_back(self, replica: Replica, optimizer: Optimizer, own: tuple[int, Arrays]) -> None:
        """Load what the state that was lent has become, and give the model its own again."""
        self.load(replica, optimizer)
        optimizer.iterations, kept = own
        self._copy_state(kept, _state(replica, optimizer))

    def run(self, batches: Iterable[int], progress: Progress = lambda count: None) -> None:
        """Take a training step on each of `batches`, see `Trainer.run`.

        Workers join before whichever step they are ready for. When they are lost, this process
        trains on the batches that are left.
        """
        left = deque(batches)

        def done(count: int) -> None:
            left.popleft()
            progress(count)

        def steps(communicator: Communicator) -> None:
            self.communicator = communicator
            try:
                super(ParallelTrainer, self).run(list(left), done)
            finally:
                self.communicator = self._without_workers

        while left:
            if self._sharing.has_joined():
                position = self._count, self._iterations, self._batch_size
                self._together(partial(_train, batches=list(left), position=position), steps)
            elif self._sharing.can_be_joined:
                done(self.step(left[0]))
            else:
                super().run(list(left), done)

    def validate(self, parts: Iterable[Part] | None = None) -> Evaluation:
        """What is measured, the mean loss first, over the validation data, without dropout.

        Args:
            parts: of the validation data; None for all, which the trainer was given.
        """
        if parts is None:
            parts = [Part(np.arange(len(self._test[0])), self._test_batch_size)]
        return evaluation([self._validate_part(each) for each in parts], self._measures)

    def _validate_part(self, part: Part) -> Measured:
        backend, count, size = self.replica.backend, len(part.order), part.batch_size
        if part.chunk is not None:
            self._test[0].fill(*part.chunk)
        data, metrics = self._test[0].first(count), self._test[1].of(slice(count))

        def measure_mine(communicator: Communicator) -> None:
            with backend.session():
                eagerly = self.run_eagerly
                measure(self.replica, data, size, communicator, *metrics, run_eagerly=eagerly)

        theirs = partial(_validate, batch_size=size, count=count)
        if not (self._sharing.has_joined() and self._together(theirs, measure_mine)):
            measure_mine(self._without_workers)
        assert data.labels is not None
        labels = backend.to_host(data.labels) if self._measures.needs_outputs else None
        mine = metrics.on_host(backend, labels, penalties_now(self.replica, count))
        return self._of_all_ranks(mine, count, size)

    def _measured(self, labels: NDArray[Any] | None) -> Measured:
        return self._of_all_ranks(super()._measured(labels), self._count, self._batch_size)

    def _of_all_ranks(self, mine: Measured, count: int, batch_size: int) -> Measured:
        """The metrics of `count` images, of which each rank has measured its share."""
        if self._ranks.size > 1:
            theirs = ~share_of(self.replica, count, batch_size, self._ranks)
            for array in (mine.losses, mine.correct, mine.outputs):
                if array is not None:
                    array[theirs] = 0
                    self._ranks.communicator.all_reduce(array, self._ranks.size)
        return mine

    def join(self) -> None:
        """Wait until the workers take part, if there can be any."""
        self._sharing.join()

    def close(self) -> None:
        """Return the workers to the pool; they join again when needed."""
        self._sharing.close()

    def _together(self, theirs: Callable[..., None], ours: Callable[[Communicator], None]) -> bool:
        """Run on all ranks, from the state of this one, see `Sharing.together`."""
        for name, array in _state(self.replica, self.optimizer).items():
            np.copyto(self._sharing.arrays[name], array)
        theirs = partial(theirs, settings=_settings(self.replica, self.optimizer))
        completed = self._sharing.together(theirs, lambda workers: ours(self._with(workers)))
        if not completed and self._ranks.size > 1:  # the other ranks may be a step ahead
            raise DeviceError(f"rank {self._ranks.rank} has lost its workers")
        return completed

    def _with(self, workers: Communicator) -> Communicator:
        """The communicator of all ranks with this program's workers."""
        return nested(workers, self._programs, self._ranks.rank, self._ranks.size)

    def _copy_state(self, source: Arrays, target: Arrays) -> None:
        for name, array in source.items():
            self.replica.backend.copy(array, target[name])


def _settings(replica: Replica, optimizer: Optimizer) -> list[dict[str, Any]]:
    """The attributes that a user may set between epochs: the optimizer's, and those of layers."""
    return [optimizer.__getstate__(), *replica.settings]


def _set(trainer: Trainer, settings: list[dict[str, Any]]) -> None:
    """Set them."""
    vars(trainer.optimizer).update(settings[0])
    trainer.replica.settings = settings[1:]


def _state(replica: Replica, optimizer: Optimizer) -> dict[str, Array]:
    """The flat vectors that training updates, by name."""
    return replica.vectors | optimizer.slots


def _training(
    replica: Replica, arrays: Arrays, batch_size: int
) -> tuple[DeviceDataset, int, Array, Metrics]:
    """The arguments of `Trainer` after the optimizer."""
    return data_of("", arrays, replica), batch_size, arrays["order"], stored_metrics("", arrays)


def _test(replica: Replica, arrays: Arrays) -> tuple[DeviceDataset, Metrics]:
    """The validation data, and memory for its metrics."""
    return data_of(TEST, arrays, replica), stored_metrics(TEST, arrays)


def _set_up_training(
    context: Context, optimizer: Optimizer, batch_size: int, programs: tuple[int, int]
) -> None:
    replica, arrays = context.kept["replica"], context.kept["arrays"]
    optimizer.place(replica.backend, replica.parameters, replica.layout)
    trainer = Trainer(replica, optimizer, *_training(replica, arrays, batch_size))
    trainer.communicator = nested(context.communicator, None, *programs)
    context.kept["trainer"] = trainer


def _train(
    context: Context,
    settings: list[dict[str, Any]],
    batches: list[int],
    position: tuple[int, int, int],
) -> None:
    trainer = _with_state(context, settings)
    trainer.continue_from(*position)
    with trainer.replica.backend.session():
        trainer.run(batches)


def _validate(
    context: Context, settings: list[dict[str, Any]], batch_size: int, count: int
) -> None:
    trainer = _with_state(context, settings)
    replica = trainer.replica
    data, metrics = _test(replica, context.kept["arrays"])
    with replica.backend.session():
        of_part = metrics.of(slice(count))
        measure(replica, data.first(count), batch_size, trainer.communicator, *of_part)


def _with_state(context: Context, settings: list[dict[str, Any]]) -> Trainer:
    """The trainer of a worker, in the state of rank 0's: vectors and attributes."""
    trainer: Trainer = context.kept["trainer"]
    for name, array in _state(trainer.replica, trainer.optimizer).items():
        np.copyto(array, context.kept["arrays"][name])
    _set(trainer, settings)
    return trainer


# Inference


Infer = Callable[..., None]
"""`measure` or `predict`, of `gpucnn.models.inference`."""


def evaluate(
    replica: Replica,
    data: Labelled,
    batch_size: int,
    measures: Measures = Measures(),  # noqa: B008 - it is immutable
    *,
    run_eagerly: bool = False,
) -> Measured:
    """The metrics of labelled images, without dropout."""
    given = labelled_arrays("", data, replica)
    infer = partial(measure, run_eagerly=run_eagerly)
    kinds = metric_kinds("", len(data.images), replica, measures)
    found = _infer(replica, infer, given, kinds, batch_size)
    labels = np.array(given["labels"]) if measures.needs_outputs else None
    penalties = penalties_now(replica, len(data.images))
    return Metrics(*found).on_host(replica.backend, labels, penalties)


def predict(
    replica: Replica,
    images: NDArray[Any],
    batch_size: int,
    predicts_softmax: bool | None = None,
    *,
    run_eagerly: bool = False,
) -> NDArray[Any]:
    """What is predicted for each image, real (n, outputs), on the host.

    Args:
        replica: the model.
        images: uint8 or real (n, *input_shape), checked.
        batch_size: images in a batch.
        predicts_softmax: see `Objective`; None for what the model's says.
        run_eagerly: see `inference.predict`.
    """
    backend = replica.backend
    is_batch = backend.binds_calls and len(images) <= batch_size
    if is_batch and not count_workers(replica, len(images), batch_size):
        with replica.session(len(images)):
            return inference.predict_batch(replica, images, predicts_softmax)
    kind = (len(images), *replica.layers[-1].output_shape), replica.dtype
    infer = partial(inference.predict, predicts_softmax=predicts_softmax, run_eagerly=run_eagerly)
    (found,) = _infer(replica, infer, {"images": images}, {"outputs": kind}, batch_size)
    return backend.to_host(found)


def _infer(
    replica: Replica, infer: Infer, given: Arrays, outputs: Kinds, batch_size: int
) -> list[Array]:
    """The outputs of `infer` for the given images; workers take part if they are ready."""
    workers = count_workers(replica, len(given["images"]), batch_size)
    if workers and not pool().is_ready(workers):  # by the time they are, these images are done
        pool().request(workers)
        workers = 0
    if workers:
        given = {**given, **replica.vectors}
    sharing = Sharing(replica, workers, given, outputs, load_vectors)
    task = partial(_infer_mine, infer, batch_size=batch_size, outputs=list(outputs))

    def infer_mine(communicator: Communicator) -> None:
        task(replica, sharing.arrays, communicator)

    with closing(sharing):
        if not (
            sharing.has_joined() and sharing.together(partial(_infer_theirs, task), infer_mine)
        ):
            infer_mine(ALONE)
    return [sharing.arrays[name] for name in outputs]


def _infer_mine(
    infer: Infer,
    replica: Replica,
    arrays: Arrays,
    communicator: Communicator,
    batch_size: int,
    outputs: list[str],
) -> None:
    data = data_of("", arrays, replica)
    with replica.backend.session():
        infer(replica, data, batch_size, communicator, *(arrays[name] for name in outputs))


def _infer_theirs(task: Callable[..., None], context: Context) -> None:
    task(context.kept["replica"], context.kept["arrays"], context.communicator)
