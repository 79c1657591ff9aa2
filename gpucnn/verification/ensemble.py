"""The effect of rounding on the loss of a training run, measured by Monte Carlo arithmetic.

Training amplifies differences: a rounding can decide which of two nearly equal pixels is the
maximum, or whether a gradient near zero, which Adam scales to the size of all others, moves a
parameter up or down. No useful bound for this growth exists but the measured one (Parker, "Monte
Carlo arithmetic", UCLA CSD-970002, 1997). One learner r trains on the CPU, on a backend of its own,
so that no fault of a device enters the tolerance; a fault of the CPU's backend between operations,
though, looks like a fault of the other device. Eight members of an ensemble train as r does, with
every result that involves roundings perturbed at random, uniformly within ± sqrt(n) eps times its
absolute terms, n being its number of roundings: n roundings fall on both sides, so that they add up
like sqrt(n), not n (Higham and Mary, "A new approach to probabilistic rounding error analysis",
SIAM J. Sci. Comput. 41, 2019). The terms are those of r's calls.

At each step, the losses of a device and of r may differ by twice the greatest deviation of a member
from r's loss up to that step. Twice, because the device and r each deviate from exact arithmetic,
by no more than a member does. Up to that step, because losses that have diverged may meet by
chance. The rounding of the loss itself is included: it is perturbed like any other result.

How rarely this rejects a correct device: members deviate further than devices do, by a factor R of
some fifty, measured on the first step. For eps is twice the greatest rounding error, and the errors
of a sum are relative to its partial sums, far below the sum of all absolute terms. So the flip of a
maximum or of a sign with probability p between r and a device has probability R p in a member, up
to one half, where the tie is closer than all perturbations. None of the k = 8 members shows it with
probability p (1 - R p)^k <= 1 / (e k R), one in a thousand; or p / 2^k, one in five hundred, at a
tie so close that roundings alone decide it. And where training has amplified rounding to its limit,
devices deviate like members, which got there some steps earlier: of normally distributed values,
one in a hundred exceeds twice the greatest of eight, if only one step counts, and ever fewer as the
steps of the members accumulate. Each device is judged by itself, so that these odds are those of
one.

Losses are compared by `gpucnn.verification.bounds.distance`: where r's is a number, a loss that is
not finite is infinitely far off, and once a member's is not, anything is allowed. Where r's own is
not, there is no reference, and the training ends in an error.
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
"""Makes a learner from the arguments of `Learner` after `labels`."""


def apart(loss: float, right: float) -> float:
    """The distance of a loss from the reference `right`, see `distance`."""
    return float(distance(np.array(loss, np.float64), np.array(right, np.float64)))


class Ensemble:
    """A learner on the CPU, and members that train as it does with perturbed results.

    Args:
        learner: makes each of them.
        seed: of the perturbations.

    Attributes:
        growth: the greatest deviation of a member's loss from the learner's so far.
    """

    def __init__(self, learner: MakeLearner, seed: int) -> None:
        self.growth = 0.0
        self._backend = CpuBackend()
        self._learner = learner(self._backend, self._operate)
        self._members = [_Member(learner, [2, seed, each]) for each in range(MEMBERS)]
        self._perturbations: list[list[_Perturbation]] = []  # of each operation in the step
        self._steps = 0

    def step(self, indices: NDArray[np.int64]) -> float:
        """Take a training step with the learner and all members.

        Args:
            indices: int64 (n,), of the batch.

        Returns:
            The mean loss of the unperturbed learner.

        Raises:
            TrainingError: that loss is NaN or infinite.
        """
        self._steps += 1
        self._perturbations.clear()
        loss = self._learner.step(indices)
        if not isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in step {self._steps} on the CPU, which is to judge by: "
                "compare fewer steps, or another seed"
            )
        losses = [member.step(indices, self._perturbations) for member in self._members]
        self.growth = max(self.growth, *(apart(each, loss) for each in losses))
        return loss

    def _operate(self, part: str, operation: str, arguments: dict[str, Any]) -> None:
        call = describe(self._backend, operation, arguments)
        getattr(self._backend, operation)(**arguments)
        self._perturbations.append(list(_perturbations(expect(call))))


class _Member:
    """A member of the ensemble, which trains on the CPU with perturbed results.

    Args:
        learner: makes a learner.
        seed: of the perturbations.
    """

    def __init__(self, learner: MakeLearner, seed: list[int]) -> None:
        self._backend = CpuBackend()
        self._generator = np.random.default_rng(seed)
        self._learner = learner(self._backend, self._operate)

    def step(self, indices: NDArray[np.int64], perturbations: "list[list[_Perturbation]]") -> float:
        """Take a training step with the perturbations of each of its operations in turn."""
        self._perturbations = iter(perturbations)
        return self._learner.step(indices)

    def _operate(self, part: str, operation: str, arguments: dict[str, Any]) -> None:
        getattr(self._backend, operation)(**arguments)
        for each in next(self._perturbations):
            each.apply(arguments[each.array], self._generator)


@dataclass(frozen=True)
class _Perturbation:
    """Uniform noise in ± `size` for the result `array`, times the result if `relative`."""

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


def _perturbations(expected: Expected) -> Iterator[_Perturbation]:
    """The perturbations of those results of a call that involve roundings."""
    call = expected.call
    for array, bound in BOUNDS[call.operation].items():
        roundings = bound.roundings(call.arguments)
        if array in call.arrays and roundings:
            share = sqrt(roundings) * expected.eps
            is_relative = bound.relative_to == "result"
            terms = 1.0 if is_relative else expected.terms(bound, array)
            yield _Perturbation(array, np.asarray(share * terms, call.real), is_relative)
