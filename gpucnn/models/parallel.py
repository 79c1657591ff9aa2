"""Training and inference shared out over worker processes, where it pays and there are some.

Until the workers are ready, and where there are none, this process works on all shards, one after
the other: to the same bytes, since a batch is split as the number of threads says, and gradients
are added up in the order of the shards.
"""

import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from copy import copy
from functools import partial
from time import sleep
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import ALONE, Array, Communicator, Shape
from gpucnn.backends.workers.in_worker import Context
from gpucnn.backends.workers.pool import pool
from gpucnn.backends.workers.shared_arrays import SharedArrays
from gpucnn.backends.workers.team import Team
from gpucnn.backends.workers.worker import WorkersLostError
from gpucnn.datasets.device_dataset import DeviceDataset
from gpucnn.errors import GpucnnWarning
from gpucnn.models.inference import classify, measure
from gpucnn.models.replica import Replica
from gpucnn.models.training import Evaluation, Metrics, Progress, Trainer
from gpucnn.optimizers import Optimizer
from gpucnn.utils.placeable import Placeable

PAUSE = 0.001
"""Seconds between two looks at whether workers are ready."""

LEAST_SPAN = 500_000_000
"""The multiply-adds of the forward passes for which it pays to have workers."""

Labelled = tuple[NDArray[Any], NDArray[Any]]
"""Images, uint8 or real (n, *input_shape), and labels, int64 (n,), checked."""

Arrays = Mapping[str, Array]
Kinds = Mapping[str, tuple[Shape, Any]]
"""The shapes and dtypes of new arrays."""


class Sharing:
    """A replica of which workers have one each, and arrays that they share with it.

    Args:
        replica: of this process.
        workers: how many may join; they begin to start.
        given: arrays that all read: workers get copies of them when they join.
        new: arrays that all write to.
        set_up: what a worker does when it joins, given its context; it has "replica" and "arrays".
        users: objects that are sent, and may be of classes of the user's, beside the layers.

    Attributes:
        arrays: all of them by name, as this process has them: those given as they are used, of
            reals of the model if they are of reals.
    """

    arrays: Arrays

    def __init__(
        self,
        replica: Replica,
        workers: int,
        given: Arrays,
        new: Kinds,
        set_up: Callable[[Context], None] | None = None,
        users: Sequence[object] = (),
    ) -> None:
        self._replica, self._set_up = replica, set_up
        self._users = (*replica.plain, *users)
        self._team: Team | None = None
        self._workers = workers if workers and pool().request(workers) else 0
        self._given = {name: _as_used(array, replica.dtype) for name, array in given.items()}
        written: Arrays | None = self._share(SharedArrays, new)
        if written is None:
            written = {name: replica.backend.empty(*new[name]) for name in new}
        self._written = written
        self._copies: SharedArrays | None = None
        self.arrays = {**self._given, **written}

    def has_joined(self) -> bool:
        """Whether workers take part; they join when they are ready."""
        if self._team is None and self._workers:
            self._team = pool().lease(self._workers, self._replica.gradients.nbytes)
            if self._team is not None:
                self._do(self._let_join)
        return self._team is not None

    def join(self) -> None:
        """Wait until workers take part, if there are to be any."""
        while self._workers and pool().request(self._workers) and not self.has_joined():
            sleep(PAUSE)

    def together(
        self, theirs: Callable[[Context], None], ours: Callable[[Communicator], None]
    ) -> bool:
        """Have all ranks work, each worker by `theirs`, this process by `ours`.

        Returns:
            Whether they have. If workers were lost, that is said, and what is left is to be done
            without them.
        """

        def work(team: Team) -> None:
            team.call(theirs)
            ours(team.communicator)

        return self._do(work)

    def close(self) -> None:
        """Give the workers back; they join again when they are needed."""
        team, self._team = self._team, None
        if team is not None:
            team.disband()

    def _let_join(self, team: Team) -> None:
        if self._copies is None:
            self._copies = self._share(SharedArrays.copies, self._given)
        if self._copies is None:
            self._team = None
            team.abandon()
            return
        team.by_value = _modules_of(self._users)
        team.call(_join, self._replica, self._copies, self._written, self._set_up)

    def _share(self, make: Callable[..., SharedArrays], what: object) -> SharedArrays | None:
        """What `make` makes; None, and no workers from now on, if there is no memory for it."""
        if not self._workers:
            return None
        try:
            return make(what)
        except OSError as error:
            self._workers = 0
            pool().do_without(f"no memory can be shared with worker processes ({error})")
            return None

    def _do(self, work: Callable[[Team], None]) -> bool:
        assert self._team is not None
        try:
            work(self._team)
            return True
        except BaseException as error:
            team, self._team, self._workers = self._team, None, 0
            team.abandon()
            if not isinstance(error, WorkersLostError):
                raise
            warnings.warn(f"{error}: this process goes on alone", GpucnnWarning, stacklevel=2)
            return False


def count_workers(replica: Replica, images: int, batch_size: int) -> int:
    """How many workers are worth their while, for so many images in batches of `batch_size`."""
    if replica.multiply_adds(images) < LEAST_SPAN:
        return 0
    return len(replica.shards(min(batch_size, images))) - 1


def _labelled(prefix: str, data: Labelled) -> dict[str, Array]:
    """Images and labels by name, the labels as all ranks use them."""
    return {prefix + "images": data[0], prefix + "labels": data[1].astype(np.int64, copy=False)}


def _as_used(array: Array, real: "np.dtype[np.floating]") -> Array:
    """An array of reals as one of those of the model; another as it is."""
    return array.astype(real, copy=False) if array.dtype.kind == "f" else array


def _modules_of(things: Iterable[object]) -> set[ModuleType]:
    """The modules, other than ours and the script itself, that define the classes of things."""
    names = {each.__module__ for thing in things for each in type(thing).__mro__}
    theirs = {name for name in names if name.split(".")[0] not in ("gpucnn", "abc", "builtins")}
    return {sys.modules[name] for name in theirs - {"__main__"} if name in sys.modules}


def _join(
    context: Context,
    replica: Replica,
    given: SharedArrays,
    written: SharedArrays,
    set_up: Callable[[Context], None] | None,
) -> None:
    """In a worker: keep a replica and what is shared."""
    context.kept |= {"replica": replica, "arrays": {**given, **written}}
    if set_up is not None:
        set_up(context)


# Training


class ParallelTrainer(Trainer):
    """A `Trainer` whose other ranks are worker processes.

    Args:
        twin: a twin of the model's replica, by which the model is used meanwhile.
        optimizer: the model's.
        data: to train on.
        batch_size: images in a step.
        validation: for `validate`, or None.
    """

    def __init__(
        self,
        twin: Replica,
        optimizer: Optimizer,
        data: Labelled,
        batch_size: int,
        validation: Labelled | None = None,
    ) -> None:
        mine = copy(optimizer)
        mine.place(twin.backend, twin.parameters)
        given, count = _labelled("", data), len(data[0])
        new: dict[str, Any] = {"order": ((count,), np.int64)} | _metrics("", count, twin)
        if validation is not None:
            given |= _labelled("test ", validation)
            new |= _metrics("test ", len(validation[0]), twin)
        workers = count_workers(twin, count, batch_size)
        if workers:
            new |= {name: (a.shape, a.dtype) for name, a in _state(twin, mine).items()}
        set_up = partial(_set_up_training, optimizer=mine, batch_size=batch_size)
        users = (mine, mine.learning_rate)
        self._sharing = Sharing(twin, workers, given, new, set_up, users)
        super().__init__(twin, mine, *_training(twin, self._sharing.arrays, batch_size))
        if validation is not None:
            self._test = _test(twin, self._sharing.arrays)
            self._test_batch_size = batch_size  # which may be more than there are to train on

    def load(self, replica: Replica, optimizer: Optimizer) -> None:
        """Take over the model's parameters, and what its optimizer and layers have and are set to.

        So what is changed between two epochs takes effect.
        """
        self._copy_state(_state(replica, optimizer), _state(self.replica, self.optimizer))
        self.optimizer.iterations = optimizer.iterations
        _set_like(self._settable(), [optimizer, *replica.plain])

    def store(self, replica: Replica, optimizer: Optimizer) -> None:
        """Give them to the model; of what layers keep for themselves, what those of rank 0 do."""
        self._copy_state(_state(self.replica, self.optimizer), _state(replica, optimizer))
        optimizer.iterations = self.optimizer.iterations
        _set_like(replica.plain, self.replica.plain)

    def run(self, batches: Iterable[int], progress: Progress = lambda images: None) -> None:
        """See `Trainer.run`; workers join before any step, and without them this goes on."""
        left = deque(batches)

        def done(images: int) -> None:
            left.popleft()
            progress(images)

        def steps(communicator: Communicator) -> None:
            self.communicator = communicator
            try:
                super(ParallelTrainer, self).run(list(left), done)
            finally:
                self.communicator = ALONE

        while left:
            if self._sharing.has_joined():
                position = self._images, self._iterations
                self._together(partial(_train, batches=list(left), position=position), steps)
            else:
                done(self.step(left[0]))

    def validate(self) -> Evaluation:
        """The mean loss and the accuracy over the validation images."""
        backend, size = self.replica.backend, self._test_batch_size
        data, metrics = self._test

        def measure_mine(communicator: Communicator) -> None:
            with backend.session():
                measure(self.replica, data, size, communicator, *metrics)

        theirs = partial(_validate, batch_size=size)
        if not (self._sharing.has_joined() and self._together(theirs, measure_mine)):
            measure_mine(ALONE)
        return metrics.means(backend)

    def join(self) -> None:
        """Wait until workers take part, if there are to be any."""
        self._sharing.join()

    def close(self) -> None:
        """Give the workers back; they join again when they are needed."""
        self._sharing.close()

    def _together(self, theirs: Callable[..., None], ours: Callable[[Communicator], None]) -> bool:
        """Have all ranks work, from the state that this one has; see `Sharing.together`."""
        for name, array in _state(self.replica, self.optimizer).items():
            np.copyto(self._sharing.arrays[name], array)
        theirs = partial(theirs, settings=[each.__getstate__() for each in self._settable()])
        return self._sharing.together(theirs, ours)

    def _settable(self) -> list[Placeable]:
        return [self.optimizer, *self.replica.plain]

    def _copy_state(self, source: Arrays, target: Arrays) -> None:
        for name, array in source.items():
            self.replica.backend.copy(array, target[name])


def _set_like(things: Iterable[Placeable], others: Iterable[Placeable]) -> None:
    """Set each thing's attributes, but for those of its place, as another's are."""
    for thing, other in zip(things, others, strict=True):
        vars(thing).update(other.__getstate__())


def _metrics(prefix: str, count: int, replica: Replica) -> dict[str, Any]:
    return {prefix + name: ((count,), replica.dtype) for name in Metrics._fields}


def _state(replica: Replica, optimizer: Optimizer) -> dict[str, Array]:
    """The vectors that training changes, by name."""
    return {"parameters": replica.parameters} | optimizer.slots


def _training(
    replica: Replica, arrays: Arrays, batch_size: int
) -> tuple[DeviceDataset, int, Array, Metrics]:
    """What a `Trainer` of the replica takes besides its optimizer."""
    data = DeviceDataset(replica.backend, replica.dtype, arrays["images"], arrays["labels"])
    return data, batch_size, arrays["order"], Metrics(arrays["losses"], arrays["correct"])


def _test(replica: Replica, arrays: Arrays) -> tuple[DeviceDataset, Metrics]:
    """The images for validation, and what is measured on them."""
    data = DeviceDataset(
        replica.backend, replica.dtype, arrays["test images"], arrays["test labels"]
    )
    return data, Metrics(arrays["test losses"], arrays["test correct"])


def _set_up_training(context: Context, optimizer: Optimizer, batch_size: int) -> None:
    replica, arrays = context.kept["replica"], context.kept["arrays"]
    optimizer.place(replica.backend, replica.parameters)
    trainer = Trainer(replica, optimizer, *_training(replica, arrays, batch_size))
    trainer.communicator = context.communicator
    context.kept["trainer"] = trainer


def _train(
    context: Context,
    settings: list[dict[str, Any]],
    batches: list[int],
    position: tuple[int, int],
) -> None:
    trainer = _with_state(context, settings)
    trainer.continue_from(*position)
    with trainer.replica.backend.session():
        trainer.run(batches)


def _validate(context: Context, settings: list[dict[str, Any]], batch_size: int) -> None:
    replica = _with_state(context, settings).replica
    data, metrics = _test(replica, context.kept["arrays"])
    with replica.backend.session():
        measure(replica, data, batch_size, context.communicator, *metrics)


def _with_state(context: Context, settings: list[dict[str, Any]]) -> Trainer:
    """The trainer of a worker, with the state of rank 0's, and its optimizer's and layers'."""
    trainer: Trainer = context.kept["trainer"]
    for name, array in _state(trainer.replica, trainer.optimizer).items():
        np.copyto(array, context.kept["arrays"][name])
    for thing, mine in zip([trainer.optimizer, *trainer.replica.plain], settings, strict=True):
        vars(thing).update(mine)
    return trainer


# Inference

Infer = Callable[..., None]
"""`measure` or `classify`."""


def evaluate(replica: Replica, data: Labelled, batch_size: int) -> Evaluation:
    """The mean loss and the accuracy over labelled images, with dropout switched off."""
    given = _labelled("", data)
    found = _infer(replica, measure, given, _metrics("", len(data[0]), replica), batch_size)
    return Metrics(*found).means(replica.backend)


def predict(replica: Replica, images: NDArray[Any], batch_size: int) -> NDArray[Any]:
    """The probability of each class for each image, real (n, classes), on the host."""
    kind = (len(images), *replica.layers[-1].output_shape), replica.dtype
    (found,) = _infer(replica, classify, {"images": images}, {"probabilities": kind}, batch_size)
    return replica.backend.to_host(found)


def _infer(
    replica: Replica, infer: Infer, given: Arrays, outputs: Kinds, batch_size: int
) -> list[Array]:
    """What `infer` writes to its outputs, for all images that are given."""
    workers = count_workers(replica, len(given["images"]), batch_size)
    if workers and not pool().is_ready(workers):  # by then these images are done
        pool().request(workers)
        workers = 0
    if workers:
        given = {**given, "parameters": replica.parameters}
    sharing = Sharing(replica, workers, given, outputs, load_parameters)
    task = partial(_infer_mine, infer, batch_size=batch_size, outputs=list(outputs))

    def infer_mine(communicator: Communicator) -> None:
        task(replica, sharing.arrays, communicator)

    with closing(sharing):
        if not (
            sharing.has_joined() and sharing.together(partial(_infer_theirs, task), infer_mine)
        ):
            infer_mine(ALONE)
    return [sharing.arrays[name] for name in outputs]


def load_parameters(context: Context) -> None:
    """In a worker that joins: take over the "parameters" that are shared."""
    np.copyto(context.kept["replica"].parameters, context.kept["arrays"]["parameters"])


def _infer_mine(
    infer: Infer,
    replica: Replica,
    arrays: Arrays,
    communicator: Communicator,
    batch_size: int,
    outputs: list[str],
) -> None:
    data = DeviceDataset(replica.backend, replica.dtype, arrays["images"], arrays.get("labels"))
    with replica.backend.session():
        infer(replica, data, batch_size, communicator, *(arrays[name] for name in outputs))


def _infer_theirs(task: Callable[..., None], context: Context) -> None:
    task(context.kept["replica"], context.kept["arrays"], context.communicator)
