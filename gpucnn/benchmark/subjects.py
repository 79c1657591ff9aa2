"""What is timed: a device of gpucnn here, the peers in their own files."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import cycle, islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Backend, Communicator
from gpucnn.backends.workers.in_worker import Context
from gpucnn.benchmark.networks import Data, make_network, normalise
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.timing import Task, clock_of
from gpucnn.models.inference import compute_logits
from gpucnn.models.parallel import ParallelTrainer, Sharing, count_workers, load_parameters
from gpucnn.models.sequential import Sequential
from gpucnn.models.training import epoch_order
from gpucnn.optimizers import SGD, Adam

TRAINING_STEP, INFERENCE = "training step", "inference"
Tasks = dict[str, Callable[[int], Task]]  # made for a number of images at a time
LEARNING_RATE = 0.01  # of the training steps that are timed, by SGD without momentum
TEST_BATCH = 128  # images that a peer classifies at a time to tell the accuracy
EPOCH = 60_000  # images that a call that is timed counts as being among
MOST_BATCHES = 300  # that the training steps which are timed go through, again and again


class Learner(Protocol):
    """A network in training, with what it trains on."""

    def epoch(self, number: int, order: NDArray[np.int64]) -> float:
        """Train on the images in `order`, int64 (n,), in epoch `number`; gives the seconds."""

    def accuracy(self) -> float:
        """On the test images, in [0, 1]."""


class Subject(Protocol):
    """Something that is timed.

    Attributes:
        name: a device of gpucnn, or a peer.
        tasks: what it does, "training step" and "inference" or one of them.
    """

    name: str
    tasks: Tasks


class TrainingSubject(Subject, Protocol):
    """A subject that can train."""

    def learner(self, batch_size: int, optimizer: Adam) -> Learner:
        """A new network, to be trained by an optimizer like `optimizer`, not yet placed."""


class DeviceSubject:
    """A device of gpucnn as a `TrainingSubject`."""

    def __init__(self, device: str, plan: Plan, data: Data) -> None:
        self.name, self._plan, self._data = device, plan, data
        self.tasks: Tasks = {TRAINING_STEP: self._training_step, INFERENCE: self._inference}

    def network(self, threads: int | None) -> Sequential:
        """A new network with its initial weights."""
        return make_network(self._plan.model, self._plan.dtype, self.name, threads)

    def learner(self, batch_size: int, optimizer: Adam) -> Learner:
        """See `TrainingSubject.learner`."""
        network = self.network(self._plan.threads)
        network.compile(optimizer)
        return _DeviceLearner(network, self._data, batch_size)

    def _training_step(self, batch_size: int) -> Task:
        network = self.network(self._plan.threads)
        images, labels = self._data[0]
        network.compile(SGD(LEARNING_RATE))
        twin = network.replica.twin()
        trainer = ParallelTrainer(twin, network.optimizer, (images, labels), batch_size)
        trainer.load(network.replica, network.optimizer)
        order = np.concatenate(some_batches(len(images), batch_size))
        trainer.begin(order)
        numbers = cycle(range(trainer.batches))

        def repeat(count: int) -> None:
            trainer.run(islice(numbers, count))

        return _task(trainer, network.backend, repeat)

    def _inference(self, batch_size: int) -> Task:
        network = self.network(self._plan.threads)
        x = normalise(self._data[0][0][:batch_size], network.dtype)
        forward = ParallelForward(network, x)
        return _task(forward, network.backend, forward.repeat)


class ParallelForward:
    """The logits of a batch, computed again and again by all workers.

    Args:
        network: on whose device, with its weights.
        x: real (n, *input_shape), on the host.
    """

    def __init__(self, network: Sequential, x: NDArray[Any]) -> None:
        self._network, replica = network, network.replica
        kinds = {"logits": ((len(x), network.classes), network.dtype)}
        workers = count_workers(replica, EPOCH, len(x))
        parameters = network.backend.to_host(replica.parameters)
        given = {"x": x, "parameters": parameters}
        self._sharing = Sharing(replica, workers, given, kinds, load_parameters)
        self._x = network.backend.asarray(self._sharing.arrays["x"])
        replica.reserve(len(x))

    def repeat(self, count: int) -> None:
        """Compute the logits so many times."""

        def ours(communicator: Communicator) -> None:
            logits = self._sharing.arrays["logits"]
            for _ in range(count):
                compute_logits(self._network.replica, self._x, logits, communicator)

        if self._sharing.has_joined():
            self._sharing.together(partial(_forward, count), ours)
        else:
            for _ in range(count):
                self._network.forward(self._x)

    def join(self) -> None:
        """See `Sharing.join`."""
        self._sharing.join()

    def close(self) -> None:
        """See `Sharing.close`."""
        self._sharing.close()


def _forward(count: int, context: Context) -> None:
    replica, arrays = context.kept["replica"], context.kept["arrays"]
    replica.reserve(len(arrays["x"]))
    with replica.backend.session():
        for _ in range(count):
            compute_logits(replica, arrays["x"], arrays["logits"], context.communicator)


class Shared(Protocol):
    """What workers can take part in."""

    def join(self) -> None:
        """Wait until they do."""

    def close(self) -> None:
        """Give them back."""


def _task(shared: Shared, backend: Backend, repeat: Callable[[int], object]) -> Task:
    """Something that is done as in an epoch, with the workers."""

    @contextmanager
    def session() -> Iterator[None]:
        shared.join()
        with closing(shared), backend.session():
            yield

    return Task(partial(repeat, 1), session, clock_of(backend), repeat)


class _DeviceLearner:
    def __init__(self, network: Sequential, data: Data, batch_size: int) -> None:
        train, test = data
        twin = network.replica.twin()
        self._trainer = ParallelTrainer(twin, network.optimizer, train, batch_size, test)
        self._trainer.load(network.replica, network.optimizer)

    def epoch(self, number: int, order: NDArray[np.int64]) -> float:
        return float(self._trainer.epoch(number, order)["seconds"])

    def accuracy(self) -> float:
        return self._trainer.validate().accuracy


def some_batches(images: int, batch_size: int) -> list[NDArray[Any]]:
    """The indices of full batches of one epoch, int64 (batch_size,) each."""
    batches = min(images // batch_size, MOST_BATCHES)
    return list(epoch_order(0, 1, images)[: batches * batch_size].reshape(batches, batch_size))
