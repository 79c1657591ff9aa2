"""Training on two devices at once, with a check of each operation and each loss."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.applications import TrainConfig
from gpucnn.backends import Backend
from gpucnn.models import MNIST_CLASSES
from gpucnn.models.training import epoch_order
from gpucnn.verification.bounds import BOUNDS, Deviation, Expected, expect
from gpucnn.verification.calls import Results, invoke, perform
from gpucnn.verification.ensemble import Ensemble, apart
from gpucnn.verification.interception import Learner, describe


class Place(NamedTuple):
    """A result that is compared: the part of the model, its operation, and the array written."""

    part: str
    operation: str
    array: str


LOSS = Place("the model by itself", "training", "mean loss")


@dataclass(frozen=True)
class Finding:
    """A difference from the reference: at which step, from 1, in which place, on which device."""

    step: int
    place: Place
    device: str
    deviation: Deviation

    def __str__(self) -> str:
        part, operation, array = self.place
        return (
            f"step {self.step}, {part}: {array} of {operation} on {self.device} is "
            f"{self.deviation.difference:.3g} off where {self.deviation.allowed:.3g} is allowed"
        )


class StepLosses(NamedTuple):
    """The mean loss of a step on the CPU, on A and on B, and the deviations of the latter two."""

    step: int
    cpu: float
    devices: tuple[float, float]
    deviations: tuple[Deviation, Deviation]


class Verification:
    """Training of one model on two devices at once.

    Args:
        config: what to train and how; its `device` and `epochs` are ignored.
        images: uint8 or floating point (n, height, width) or (n, height, width, channels), to
            train on.
        labels: integers (n,).
        a: the first device.
        b: the second device; each repeats operations of the other.
        classes: of the images.

    Attributes:
        worst: for each place the largest difference relative to its bound, for A and for B: in the
            order of a step whose operations come one by one, then of those that run fused.
        losses: of each step.
        finding: the first difference beyond its bound, or None.

    Raises:
        InvalidTypeError: the dtype of the images or labels cannot be used.
        InvalidValueError: the shape or a value of the images or labels cannot be used.
    """

    def __init__(
        self,
        config: TrainConfig,
        images: NDArray[Any],
        labels: NDArray[Any],
        a: Backend,
        b: Backend,
        classes: int = MNIST_CLASSES,
    ) -> None:
        self.worst: dict[Place, tuple[Finding, ...]] = {}
        self.losses: list[StepLosses] = []
        self.finding: Finding | None = None
        self._a, self._b = a, b
        self._names = f"A ({a.device})", f"B ({b.device})"
        self._order = _batches(config, len(images))
        learner = partial(Learner, config, images, labels, classes=classes)
        self._ensemble = Ensemble(learner, config.seed)
        self._free = learner(a), learner(b)
        self._checked = [
            learner(mine, partial(self._operate, mine, other), fuses=fuses)
            for mine, other, fuses in ((a, b, False), (a, b, True), (b, a, True))
        ]
        self._seen: set[tuple[str, str]] = set()  # in the step of this learner
        self._done: set[tuple[str, str]] = set()  # in the step of learners before it

    def step(self) -> None:
        """Take a training step, with both checks.

        Raises:
            TrainingError: the loss of the reference on the CPU is NaN or infinite.
        """
        indices = next(self._order)
        cpu = self._ensemble.step(indices)
        self._done.clear()
        for learner in self._checked:
            self._seen.clear()
            learner.step(indices)
            self._done |= self._seen
        a, b = (learner.step(indices) for learner in self._free)
        allowed = 2 * self._ensemble.growth
        deviations = Deviation(apart(a, cpu), allowed), Deviation(apart(b, cpu), allowed)
        for name, deviation in zip(self._names, deviations, strict=True):
            self._judge(Finding(self._step, LOSS, name, deviation))
        self.losses.append(StepLosses(self._step, cpu, (a, b), deviations))

    @property
    def _step(self) -> int:
        """The number of the current step, from 1."""
        return len(self.losses) + 1

    def _operate(
        self, mine: Backend, other: Backend, part: str, operation: str, arguments: dict[str, Any]
    ) -> None:
        """Perform an operation on a device, repeat it on the other one, and check both results.

        What an earlier learner has had checked in this step is performed alone.
        """
        if (part, operation) in self._done:
            invoke(mine, operation, arguments)
            return
        self._seen.add((part, operation))
        call = describe(mine, operation, arguments)
        invoke(mine, operation, arguments)
        by_mine = {name: mine.to_host(arguments[name]) for name in call.arrays}
        with other.session():
            by_other = perform(other, call)
        by_a, by_b = (by_mine, by_other) if mine is self._a else (by_other, by_mine)
        self._compare(part, expect(call), by_a, by_b)

    def _compare(self, part: str, expected: Expected, *results: Results) -> None:
        for array in expected.call.arrays:
            place = Place(part, expected.call.operation, array)
            found = tuple(
                Finding(self._step, place, name, expected.deviation(array, result[array]))
                for name, result in zip(self._names, results, strict=True)
            )
            for each in found:
                self._judge(each)
            if array in BOUNDS[place.operation]:
                before = self.worst.get(place, found)
                self.worst[place] = tuple(map(_worse, before, found))

    def _judge(self, found: Finding) -> None:
        if self.finding is None and found.deviation.share > 1:
            self.finding = found


def _worse(before: Finding, found: Finding) -> Finding:
    return found if found.deviation.share > before.deviation.share else before


def _batches(config: TrainConfig, images: int) -> Iterator[NDArray[np.int64]]:
    """The indices of the images in each batch, epoch after epoch without end."""
    for epoch in count(1):
        order = epoch_order(config.seed, epoch, images)
        for start in range(0, images, config.batch_size):
            yield order[start : start + config.batch_size]
