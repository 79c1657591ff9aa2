"""How far rounding may take the loss of a training, measured: Monte Carlo arithmetic.

Training amplifies differences, and a rounding can decide which of two nearly equal pixels is the
maximum, or whether a gradient near zero, which Adam scales to the size of all others, moves a
parameter up or down. There is no useful bound for this growth but the measured one (Parker, "Monte
Carlo arithmetic", UCLA CSD-970002, 1997). One learner r trains on the CPU, on a backend of its own,
so that no fault of a device is in what is allowed; what the CPU's backend itself does wrong between
operations, though, looks like a fault of the other device. Eight members train as r does, and every
result of theirs that has roundings is disturbed at random, evenly in ± sqrt(n) eps times its
absolute terms, n being its roundings: n roundings are partly above and partly below, so that they
add up like sqrt(n), not n (Higham and Mary, "A new approach to probabilistic rounding error
analysis", SIAM J. Sci. Comput. 41, 2019). The terms are those of r's calls.

At a step, the loss of a device and r's may differ by twice the greatest deviation of a member from
r's loss, up to this step. Twice, because the device and r each stray from what exact arithmetic
gives, by no more than a member does. Up to this step, because losses that have parted may meet by
chance. The rounding of the loss itself is in it: the members' losses are disturbed like all else.

How seldom this fails an honest device: members stray further than devices do, by a factor R of some
fifty, measured on the first step. For eps is twice the greatest rounding error, and the errors of a
sum are relative to its partial sums, far below the sum of all absolute terms. So a flip of a
maximum or of a sign that has the probability p between r and a device has R p in a member, up to
one half, where the tie is closer than all disturbances. All of k = 8 members lack it with
probability p (1 - R p)^k <= 1 / (e k R), one in a thousand; or p / 2^k, one in five hundred, at a
tie so close that roundings alone decide it. And where training has amplified rounding as far as it
goes, devices stray like members, who have been there for some steps by then: of values that are
normally distributed, one in a hundred is above twice the greatest of eight, if only one step
counts, and ever fewer as members' steps add up. Each device is judged by itself, so that these odds
are those of one; the CPU itself rounds as r does, and is not off at all.

A loss is held to the rule of `gpucnn.verification.bounds.distance`: where r's is a number, one that
is not is infinitely far off, and once a member's is not, anything is allowed. Where r's own is not,
there is nothing to judge by, and the training ends in an error.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, CpuBackend
from gpucnn.errors import TrainingError
from gpucnn.verification.bounds import BOUNDS, Expected, distance, expect
from gpucnn.verification.interception import Learner, describe

MEMBERS = 8

MakeLearner = Callable[..., Learner]
"""Makes a learner, given what `Learner` takes from `backend` on."""


def apart(loss: float, right: float) -> float:
    """How far a loss is from the right one."""
    return float(distance(np.array(loss, np.float64), np.array(right, np.float64)))


class Ensemble:
    """A learner on the CPU, and members that train as it does, each result being disturbed.

    Args:
        learner: makes each of them.
        seed: of the disturbances.

    Attributes:
        growth: the greatest deviation of a member's loss from the learner's, so far.
    """

    def __init__(self, learner: MakeLearner, seed: int) -> None:
        self.growth = 0.0
        self._backend = CpuBackend()
        self._learner = learner(self._backend, self._operate)
        self._members = [_Member(learner, [2, seed, each]) for each in range(MEMBERS)]
        self._disturbances: list[list[_Disturbance]] = []  # of each operation of the step
        self._steps = 0

    def step(self, indices: NDArray[np.int64]) -> float:
        """One training step of all; returns the loss of the learner that nothing disturbs.

        Raises:
            TrainingError: that loss is NaN or infinite.
        """
        self._steps += 1
        self._disturbances.clear()
        loss = self._learner.step(indices)
        if not isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in step {self._steps} on the CPU, which is to judge by: "
                "compare fewer steps, or another seed"
            )
        losses = [member.step(indices, self._disturbances) for member in self._members]
        self.growth = max(self.growth, *(apart(each, loss) for each in losses))
        return loss

    def _operate(self, part: str, operation: str, arguments: dict[str, Any]) -> None:
        call = describe(self._backend, operation, arguments)
        getattr(self._backend, operation)(**arguments)
        self._disturbances.append(list(_disturbances(expect(call))))


class _Member:
    """A member of the ensemble: it trains on the CPU, each of its results being disturbed.

    Args:
        learner: makes a learner.
        seed: of the disturbances.
    """

    def __init__(self, learner: MakeLearner, seed: list[int]) -> None:
        self._backend = CpuBackend()
        self._generator = np.random.default_rng(seed)
        self._learner = learner(self._backend, self._operate)

    def step(self, indices: NDArray[np.int64], disturbances: "list[list[_Disturbance]]") -> float:
        """One training step, with the disturbances of each of its operations in turn."""
        self._disturbances = iter(disturbances)
        return self._learner.step(indices)

    def _operate(self, part: str, operation: str, arguments: dict[str, Any]) -> None:
        getattr(self._backend, operation)(**arguments)
        for each in next(self._disturbances):
            each.apply(arguments[each.array], self._generator)


@dataclass(frozen=True)
class _Disturbance:
    """How a result is disturbed: evenly up to `size` on both sides, of itself if `relative`."""

    array: str
    size: NDArray[Any]
    relative: bool

    def apply(self, result: Array, generator: np.random.Generator) -> None:
        noise = generator.random(result.shape, result.dtype)
        noise -= 0.5
        noise *= 2 * self.size
        if self.relative:
            noise *= result
        result += noise


def _disturbances(expected: Expected) -> Iterator[_Disturbance]:
    """The disturbances of a call's results: of each that has roundings."""
    call = expected.call
    for array, bound in BOUNDS[call.operation].items():
        roundings = bound.roundings(call.arguments)
        if array in call.arrays and roundings:
            share = sqrt(roundings) * expected.eps
            is_relative = bound.relative_to == "result"
            terms = 1.0 if is_relative else expected.terms(bound, array)
            yield _Disturbance(array, np.asarray(share * terms, call.real), is_relative)
