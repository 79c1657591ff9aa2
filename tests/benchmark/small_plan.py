"""A plan, a workload and a stub of a peer that are quick to time, for the tests of benchmarks."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.benchmark.contenders import INFERENCE, TRAINING_STEP, Learner, Tasks
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.timing import Task
from gpucnn.benchmark.workload import Data, Workload
from gpucnn.optimizers import Adam
from small_mnist import small_mnist


def small_plan(**changes: Any) -> Plan:
    """The notebook's network on one thread of the CPU, in few rounds."""
    given: dict[str, Any] = {
        "devices": ("cpu",),
        "peers": (),
        "model": "notebook",
        "batch_sizes": (4,),
        "threads": 1,
        "rounds": 2,
    }
    return Plan(**(given | changes))


@cache
def small_data(train: int = 64, test: int = 32) -> Data:
    """The first images of MNIST, in the form of `load_data`."""
    (x, y), (x_test, y_test) = small_mnist(train, test)
    return (x[..., None], y.astype(np.int64)), (x_test[..., None], y_test.astype(np.int64))


def small_workload(model: str = "notebook", dtype: str = "float32") -> Workload:
    """A preset and the first images of MNIST."""
    return Workload(model, dtype, small_data())


class StubPeer:
    """A peer that computes nothing, and whose accuracy rises by a tenth in each epoch.

    Attributes:
        calls: the tasks that were run, with their batch sizes.
        orders: of the images, by epoch.
        optimizer: that it was given to train with.
    """

    def __init__(self, name: str = "torch") -> None:
        self.name = name
        self.calls: list[tuple[str, int]] = []
        self.orders: list[NDArray[np.int64]] = []
        self.tasks: Tasks = {
            TRAINING_STEP: lambda size: self._task(TRAINING_STEP, size),
            INFERENCE: lambda size: self._task(INFERENCE, size),
        }

    def learner(self, batch_size: int, optimizer: Adam) -> Learner:
        """See `TrainingContender.learner`."""
        self.batch_size, self.optimizer = batch_size, optimizer
        return self

    def epoch(self, number: int, order: NDArray[np.int64]) -> float:
        """See `Learner.epoch`."""
        self.orders.append(order)
        return float(number)

    def accuracy(self) -> float:
        """See `Learner.accuracy`."""
        return len(self.orders) / 10

    def _task(self, what: str, size: int) -> Task:
        return Task(lambda: self.calls.append((what, size)), clock=_a_second)


def _a_second(work: Any) -> float:
    work()
    return 1.0
