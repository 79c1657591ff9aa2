"""What is timed: a device of gpucnn here, the peers in their own files."""

from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpucnn.batches import Batches
from gpucnn.benchmark.networks import Data, make_network, normalise
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.timing import Task, clock_of
from gpucnn.optimizers import SGD, Adam
from gpucnn.sequential import Sequential
from gpucnn.training import Trainer, epoch_order, evaluate

TRAINING_STEP, INFERENCE = "training step", "inference"
Tasks = dict[str, Callable[[int], Task]]  # made for a number of images at a time
LEARNING_RATE = 0.01  # of the training steps that are timed, by SGD without momentum
TEST_BATCH = 128  # images that are classified at a time to tell the accuracy
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
        network.compile(SGD(LEARNING_RATE))
        backend, (images, labels) = network.backend, self._data[0]
        batches = Batches(backend, network.dtype, images, labels)
        trainer = Trainer(network, network.optimizer, batches, batch_size)
        losses, correct = (backend.empty((batch_size,), network.dtype) for _ in range(2))
        indices = cycle([backend.asarray(each) for each in some_batches(len(images), batch_size)])
        return _task(network, batch_size, lambda: trainer.step(next(indices), losses, correct))

    def _inference(self, batch_size: int) -> Task:
        network = self.network(self._plan.threads)
        backend = network.backend
        x = backend.asarray(normalise(self._data[0][0][:batch_size], network.dtype))
        network.reserve(batch_size)
        return _task(network, batch_size, lambda: network.forward(x))


def _task(network: Sequential, batch_size: int, call: Callable[[], object]) -> Task:
    """A call as it is done in an epoch."""
    session = partial(network.session, batch_size, EPOCH)
    return Task(call, session, clock_of(network.backend))


class _DeviceLearner:
    def __init__(self, network: Sequential, data: Data, batch_size: int) -> None:
        self._network = network
        train, self._test = (Batches(network.backend, network.dtype, *part) for part in data)
        self._trainer = Trainer(network, network.optimizer, train, batch_size)

    def epoch(self, number: int, order: NDArray[np.int64]) -> float:
        return float(self._trainer.epoch(number, order)["seconds"])

    def accuracy(self) -> float:
        return evaluate(self._network, self._test, TEST_BATCH).accuracy


def some_batches(images: int, batch_size: int) -> list[NDArray[Any]]:
    """The indices of full batches of one epoch, int64 (batch_size,) each."""
    batches = min(images // batch_size, MOST_BATCHES)
    return list(epoch_order(0, 1, images)[: batches * batch_size].reshape(batches, batch_size))
