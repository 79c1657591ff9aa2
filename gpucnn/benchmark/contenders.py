"""Contenders: what is timed. A device of gpucnn here; other libraries in `peers`."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import cycle, islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import ALONE, Backend, Communicator
from gpucnn.backends.workers.in_worker import Context
from gpucnn.benchmark.timing import Task, clock_of
from gpucnn.benchmark.workload import (
    LEARNING_RATE,
    Data,
    Workload,
    full_batches,
    make_network,
    normalise,
)
from gpucnn.models import Model
from gpucnn.models.data import Labelled
from gpucnn.models.inference import bind_logits
from gpucnn.models.training.parallel import ParallelTrainer
from gpucnn.models.training.sharing import Sharing, count_workers, load_vectors
from gpucnn.optimizers import SGD, Adam

TRAINING_STEP, INFERENCE = "training step", "inference"
Tasks = dict[str, Callable[[int], Task]]  # makes the task of a name for a batch size
EPOCH = 60_000  # images that decide the number of workers of a timed inference


class Learner(Protocol):
    """A network in training, with its training set and test set."""

    def epoch(self, number: int, order: NDArray[np.int64]) -> float:
        """Train for an epoch and return the seconds that it took.

        Args:
            number: of the epoch, from 1.
            order: the indices of the images, int64 (n,).
        """

    def accuracy(self) -> float:
        """The accuracy on the test set, in [0, 1]."""


class Contender(Protocol):
    """Something to time.

    Attributes:
        name: a device of gpucnn, or a peer.
        tasks: makes its tasks, `TRAINING_STEP`, `INFERENCE` or both, for a batch size.
    """

    name: str
    tasks: Tasks


class TrainingContender(Contender, Protocol):
    """A contender that can be trained to an accuracy."""

    def learner(self, batch_size: int, optimizer: Adam) -> Learner:
        """A new network in training, with an optimizer of its own configured like `optimizer`."""


class DeviceContender:
    """A device of gpucnn as a `TrainingContender`.

    Args:
        device: its name.
        workload: what it computes.
        threads: of the CPU; None for as many as there are cores.
        run_eagerly: whether it launches the operations of a step one by one, also where it could
            replay them as one; then it does training steps alone.

    Attributes:
        name: that of the device, with ", eager" if `run_eagerly`.
        tasks: see `Contender`.
    """

    def __init__(
        self, device: str, workload: Workload, threads: int | None, *, run_eagerly: bool = False
    ) -> None:
        self._device, self._workload, self._threads = device, workload, threads
        self._run_eagerly = run_eagerly
        self.name = f"{device}, eager" if run_eagerly else device
        self.tasks: Tasks = {TRAINING_STEP: self._training_step}
        if not run_eagerly:
            self.tasks[INFERENCE] = self._inference

    def network(self, threads: int | None) -> Model:
        """A new network with its initial weights, on `threads` threads."""
        return make_network(self._workload.model, self._workload.dtype, self._device, threads)

    def learner(self, batch_size: int, optimizer: Adam) -> Learner:
        """See `TrainingContender.learner`."""
        network = self.network(self._threads)
        network.compile(optimizer)
        return _DeviceLearner(network, self._workload.data, batch_size)

    def trainer(self, batch_size: int) -> ParallelTrainer:
        """A trainer that has begun an epoch of full batches."""
        network = self.network(self._threads)
        data = Labelled(*self._workload.data[0])
        network.compile(SGD(LEARNING_RATE))
        twin = network.replica.twin()
        trainer = ParallelTrainer(twin, network.optimizer, data, batch_size)
        trainer.load(network.replica, network.optimizer)
        trainer.run_eagerly = self._run_eagerly
        order = np.concatenate(full_batches(len(data.images), batch_size))
        trainer.begin(order)
        return trainer

    def _training_step(self, batch_size: int) -> Task:
        return training_task(self.trainer(batch_size))

    def _inference(self, batch_size: int) -> Task:
        network = self.network(self._threads)
        x = normalise(self._workload.data[0][0][:batch_size], network.dtype)
        forward = ParallelForward(network, x)
        return _task(forward, network.backend, forward.repeat)


def training_task(trainer: ParallelTrainer) -> Task:
    """The task of the next training step of a trainer's epoch, which is repeated without end."""
    numbers = cycle(range(trainer.batches))

    def repeat(count: int) -> None:
        trainer.run(islice(numbers, count))

    return _task(trainer, trainer.replica.backend, repeat)


class ParallelForward:
    """The logits of one batch, computed repeatedly by all workers.

    Args:
        network: decides the device and the weights.
        x: real `(n, *input_shape)`, on the host.
    """

    def __init__(self, network: Model, x: NDArray[Any]) -> None:
        self._network, replica = network, network.replica
        kinds = {"logits": ((len(x), network.classes), network.dtype)}
        workers = count_workers(replica, EPOCH, len(x))
        to_host = network.backend.to_host
        given = {"x": x} | {name: to_host(each) for name, each in replica.vectors.items()}
        self._sharing = Sharing(replica, workers, given, kinds, load_vectors)
        self._x = network.backend.asarray(self._sharing.arrays["x"])
        replica.reserve(len(x))

    def repeat(self, count: int) -> None:
        """Compute the logits `count` times."""

        def ours(communicator: Communicator) -> None:
            logits = self._sharing.arrays["logits"]
            compute = bind_logits(self._network.replica, self._x, logits, communicator)
            for _ in range(count):
                compute()

        if self._sharing.has_joined():
            self._sharing.together(partial(_forward, count), ours)
        else:
            ours(ALONE)

    def join(self) -> None:
        """See `Sharing.join`."""
        self._sharing.join()

    def close(self) -> None:
        """See `Sharing.close`."""
        self._sharing.close()


def _forward(count: int, context: Context) -> None:
    """A worker's part of `ParallelForward.repeat`."""
    replica, arrays = context.kept["replica"], context.kept["arrays"]
    replica.reserve(len(arrays["x"]))
    with replica.backend.session():
        compute = bind_logits(replica, arrays["x"], arrays["logits"], context.communicator)
        for _ in range(count):
            compute()


class Shared(Protocol):
    """Work that is shared with workers."""

    def join(self) -> None:
        """Wait until the workers take part."""

    def close(self) -> None:
        """Release the workers."""


def _task(shared: Shared, backend: Backend, repeat: Callable[[int], object]) -> Task:
    """A task whose session has the workers joined, as they are in an epoch."""

    @contextmanager
    def session() -> Iterator[None]:
        shared.join()
        with closing(shared), backend.session():
            yield

    return Task(partial(repeat, 1), session, clock_of(backend), repeat)


class _DeviceLearner:
    """A compiled network of gpucnn as a `Learner`."""

    def __init__(self, network: Model, data: Data, batch_size: int) -> None:
        train, test = (Labelled(*each) for each in data)
        twin = network.replica.twin()
        self._trainer = ParallelTrainer(twin, network.optimizer, train, batch_size, test)
        self._trainer.load(network.replica, network.optimizer)

    def epoch(self, number: int, order: NDArray[np.int64]) -> float:
        return float(self._trainer.epoch(number, order)["seconds"])

    def accuracy(self) -> float:
        return self._trainer.validate().accuracy
