"""Two devices train the same model, and every difference is held to what rounding explains.

Device A trains a model, and two checks follow it, step by step.

**Operation by operation.** Whatever a step of A's training computes, device B computes as well, one
operation at a time, from copies of the arrays that A had. Both results are held to the definition
of the operation in float64, within the bounds of `gpucnn.backends.bounds`. These are rigorous, and
each operation starts from the same numbers, so that no difference is passed on: a result beyond its
bound is a fault of that device in that operation. What an operation calls on its own device is part
of it. What a rigorous bound cannot see is a fault that is smaller than the rounding that it allows:
n eps of the absolute terms for a sum of n terms. In float32 that is some 1e-5 of the gradient of a
dense kernel, but some percent of that of a first convolution's, a sum over all positions of all
images, in which most cancels.

**Free-running.** The same model, from the same seed, trains on B by itself, and the mean loss of
each of its steps is held to A's. This checks what lies between the operations: memory, copies, the
order of things. Here differences grow: training amplifies them, and a rounding can decide which of
two nearly equal pixels is the maximum, or whether a gradient near zero, which Adam scales to the
size of all others, moves a parameter up or down. There is no useful bound for this growth but the
measured one: Monte Carlo arithmetic (Parker, "Monte Carlo arithmetic", UCLA CSD-970002, 1997).
Eight members train as A does, on the CPU, and every result that has roundings is disturbed at
random, evenly in ± sqrt(n) eps times its absolute terms, n being its roundings: n roundings are
partly above and partly below, so that they add up like sqrt(n), not n (Higham and Mary, "A new
approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019). The terms are
those of A's calls, on which the bounds of the first check rest too.

At a step, A's loss and B's may differ by twice the greatest deviation of a member from A's loss, up
to this step. Twice, because A and B each stray from what exact arithmetic gives, by no more than a
member does. Up to this step, because losses that have parted may meet by chance. The rounding of
the loss itself is in it: the members' losses are disturbed like all else.

How seldom this fails an honest device: members stray further than devices do, by a factor R of some
fifty, measured on the first step. For eps is twice the greatest rounding error, and the errors of a
sum are relative to its partial sums, far below the sum of all absolute terms. So a flip of a
maximum or of a sign that has the probability p between devices has R p in a member, up to one half,
where the tie is closer than all disturbances. All of k = 8 members lack what B has with probability
p (1 - R p)^k <= 1 / (e k R), one in a thousand; or p / 2^k, one in five hundred, at a tie so close
that roundings alone decide it. And where training has amplified rounding as far as it goes, devices
stray like members, who have been there for some steps by then: of values that are normally
distributed, one in a hundred is above twice the greatest of eight, if only one step counts, and
ever fewer as members' steps add up.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from inspect import signature
from itertools import count
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Backend, CpuBackend
from gpucnn.backends.bounds import BOUNDS, UPDATED, Deviation, Expected, expect
from gpucnn.backends.calls import Call, Results, perform, unset
from gpucnn.batches import Batches, check_images, check_labels
from gpucnn.losses import SoftmaxCrossEntropy
from gpucnn.recipes import Recipe
from gpucnn.training import Metrics, Trainer, epoch_order

MEMBERS = 8

# The methods of a backend that compute nothing.
MEMORY = ("asarray", "copy", "counting", "empty", "session", "to_host", "workspace", "zeros")


class Place(NamedTuple):
    """An array that is compared: which part of the model writes it, in which operation."""

    part: str
    operation: str
    array: str


LOSS = Place("the model by itself", "training", "mean loss")


@dataclass(frozen=True)
class Finding:
    """A difference, where it was found: at a step, from 1, in a place, on a device."""

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
    """The mean loss of a step on both devices, and how far apart the two may be."""

    step: int
    a: float
    b: float
    deviation: Deviation


class Verification:
    """A recipe followed on two devices at once.

    Args:
        recipe: what to train and how, from which seed; its `device` and `epochs` do not matter.
        images: uint8 or floating point (n, height, width), to train on.
        labels: whole numbers (n,).
        a: where it trains.
        b: where it trains by itself, and where A's operations are repeated.

    Attributes:
        worst: the difference that is the greatest share of its bound, for A and for B, at each
            place, in the order in which a step comes by them.
        losses: those of each step.
        finding: the first difference that exceeds its bound, or None.

    Raises:
        InvalidTypeError: the dtype of the images or labels cannot be used.
        InvalidValueError: the shape or a value of the images or labels cannot be used.
    """

    def __init__(
        self, recipe: Recipe, images: NDArray[Any], labels: NDArray[Any], a: Backend, b: Backend
    ) -> None:
        self.worst: dict[Place, tuple[Finding, ...]] = {}
        self.losses: list[StepLosses] = []
        self.finding: Finding | None = None
        self._a, self._b = a, b
        self._names = f"A ({a.device})", f"B ({b.device})"
        self._order = _batches(recipe, len(images))
        self._disturbances: list[list[_Disturbance]] = []  # of each operation of A's step
        self._growth = 0.0  # the greatest deviation of a member so far
        learner = partial(_Learner, recipe, images, labels)
        self._learner_a = learner(lambda part: _Intercepted(a, part, self._operate))
        self._learner_b = learner(lambda part: b)
        self._members = [_Member(learner, [2, recipe.seed, each]) for each in range(MEMBERS)]

    def step(self) -> None:
        """One step of training, with both checks."""
        indices = next(self._order)
        self._disturbances.clear()
        a, b = self._learner_a.step(indices), self._learner_b.step(indices)
        for member in self._members:
            stray = abs(member.step(indices, self._disturbances) - a)
            self._growth = max(self._growth, stray)
        deviation = Deviation(abs(a - b), 2 * self._growth)
        losses = StepLosses(self._step, a, b, deviation)
        self._judge(Finding(losses.step, LOSS, self._names[1], deviation))
        self.losses.append(losses)

    @property
    def _step(self) -> int:
        """The number of the step that is being done."""
        return len(self.losses) + 1

    def _operate(self, part: str, operation: str, arguments: dict[str, Any]) -> None:
        """Perform an operation of A's step, and check it."""
        call = _describe(self._a, operation, arguments)
        getattr(self._a, operation)(**arguments)
        expected = expect(call)
        by_a = {name: self._a.to_host(arguments[name]) for name in call.arrays}
        with self._b.session():
            by_b = perform(self._b, call)
        self._compare(part, expected, by_a, by_b)
        self._disturbances.append(list(_disturbances(expected)))

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
        if self.finding is None and not found.deviation.share <= 1:  # also where it is NaN
            self.finding = found


Perform = Callable[[str, str, dict[str, Any]], None]
"""Performs an operation: for which part of the model, its name, and its arguments."""


class _Intercepted(Backend):
    """A backend whose operations, when they are called from outside, go through `perform`.

    Args:
        backend: where the memory is.
        part: of the model, which this object serves.
        perform: what is called instead of an operation.
    """

    def __init__(self, backend: Backend, part: str, perform: Perform) -> None:
        super().__init__(backend.xp)
        self.device = backend.device
        self._part, self._perform = part, perform
        for name in MEMORY:
            setattr(self, name, getattr(backend, name))
        for name in BOUNDS:
            setattr(self, name, partial(self._named, name))

    def _named(self, operation: str, *args: Any, **options: Any) -> None:
        bound = signature(getattr(Backend, operation)).bind(self, *args, **options)
        bound.apply_defaults()
        arguments = {name: value for name, value in bound.arguments.items() if name != "self"}
        self._perform(self._part, operation, arguments)


class _Learner:
    """A model in training.

    Args:
        recipe: how.
        images: to train on.
        labels: to train on.
        backends: gives the backend for each part of the model, all of them in the same memory.
    """

    def __init__(
        self,
        recipe: Recipe,
        images: NDArray[Any],
        labels: NDArray[Any],
        backends: Callable[[str], Backend],
    ) -> None:
        model = recipe.make_model(len(images))
        x = check_images(images, model.input_shape, model.dtype)
        y = check_labels(labels, len(x), model.classes)
        model.place(backends("the model"))
        for layer in model.layers:
            layer.backend = backends(layer.name)
        model.loss = SoftmaxCrossEntropy(backends("the loss"), model.classes, model.dtype)
        model.optimizer.place(backends("the optimizer"), model.parameters)
        data = Batches(backends("the batch"), model.dtype, x, y)
        self._model = model
        self._trainer = Trainer(model, model.optimizer, data, recipe.batch_size)

    def step(self, indices: NDArray[np.int64]) -> float:
        """One training step on a batch; returns its mean loss."""
        backend, metrics = self._model.backend, Metrics(self._model, len(indices))
        with backend.session():
            self._trainer.step(backend.asarray(indices), metrics.losses, metrics.correct)
        return metrics.means().loss


class _Member:
    """A member of the ensemble: it trains on the CPU, each of its results being disturbed.

    Args:
        learner: makes a learner on given backends.
        seed: of the disturbances.
    """

    def __init__(
        self, learner: Callable[[Callable[[str], Backend]], _Learner], seed: list[int]
    ) -> None:
        self._backend = CpuBackend()
        self._generator = np.random.default_rng(seed)
        self._learner = learner(lambda part: _Intercepted(self._backend, part, self._operate))

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
        roundings = bound.roundings(call)
        if array in call.arrays and roundings:
            share = sqrt(roundings) * expected.eps
            terms = 1.0 if bound.is_relative else bound.terms(expected, array)
            yield _Disturbance(array, np.asarray(share * terms, call.real), bound.is_relative)


def _describe(backend: Backend, operation: str, arguments: dict[str, Any]) -> Call:
    """A call that is about to be made on the backend."""

    def on_host(name: str, value: Any) -> Any:
        if not isinstance(value, backend.xp.ndarray):
            return value
        if name in BOUNDS[operation].keys() - UPDATED:
            return unset(value.shape, value.dtype)
        return backend.to_host(value)

    return Call(operation, {name: on_host(name, value) for name, value in arguments.items()})


def _worse(before: Finding, found: Finding) -> Finding:
    return found if found.deviation.share > before.deviation.share else before


def _batches(recipe: Recipe, images: int) -> Iterator[NDArray[np.int64]]:
    """Which images are in each batch, epoch after epoch without end."""
    for epoch in count(1):
        order = epoch_order(recipe.seed, epoch, images)
        for start in range(0, images, recipe.batch_size):
            yield order[start : start + recipe.batch_size]
