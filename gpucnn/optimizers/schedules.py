"""Learning rate schedules: the learning rate as a function of the training step."""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import cos, inf, pi
from typing import TYPE_CHECKING

from gpucnn.errors import InvalidValueError
from gpucnn.utils import arguments
from gpucnn.utils.keras import lacking
from gpucnn.utils.objects.config import Configurable


class Schedule(Configurable, ABC):
    """The learning rate of each training step."""

    @property
    def steps(self) -> float:
        """The length of the schedule in steps; beyond it the learning rate stays as at its end."""
        return inf

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""


LearningRateSchedule = Schedule
"""Keras's name of it."""


@dataclass(frozen=True)
class Constant(Schedule):
    """A constant learning rate."""

    learning_rate: float

    def __post_init__(self) -> None:
        arguments.positive_number(self.learning_rate, "learning_rate")

    def __call__(self, step: int) -> float:
        return self.learning_rate


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Decay along half a cosine in `decay_steps` steps, after a linear rise if one is asked for.

    The rate rises from `initial_learning_rate` to `warmup_target` in `warmup_steps` steps, and from
    there falls to `alpha` times the target. Without a target it falls from `initial_learning_rate`
    to `alpha` times that.

    Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts.

    Args:
        initial_learning_rate: above 0; before a rise it may be 0.
        decay_steps: the steps of the decay, at least 1.
        alpha: the last rate as a fraction of the greatest, at least 0.
        warmup_target: the rate after the rise, above 0; None for no rise.
        warmup_steps: the steps of the rise, at least 0; 0 without a target.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    warmup_target: float | None = field(default=None, kw_only=True)  # Keras's 4th is its name
    warmup_steps: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        if self.warmup_target is None:
            arguments.positive_number(self.initial_learning_rate, "initial_learning_rate")
        else:
            arguments.non_negative_number(self.initial_learning_rate, "initial_learning_rate")
            arguments.positive_number(self.warmup_target, "warmup_target")
        arguments.positive_integer(self.decay_steps, "decay_steps")
        arguments.non_negative_number(self.alpha, "alpha")
        steps = arguments.non_negative_integer(self.warmup_steps, "warmup_steps")
        if steps and self.warmup_target is None:
            raise InvalidValueError(f"warmup_steps is {steps}: give warmup_target too")

    @property
    def steps(self) -> float:
        return self.warmup_steps + self.decay_steps

    def __call__(self, step: int) -> float:
        target = self.warmup_target
        if target is None:
            target = self.initial_learning_rate
        if step < self.warmup_steps:
            rise = target - self.initial_learning_rate
            return self.initial_learning_rate + rise * (step / self.warmup_steps)
        return _cosine(target, self.alpha * target, (step - self.warmup_steps) / self.decay_steps)


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """Decay by the factor `decay_rate` every `decay_steps` steps, without an end.

    The rate is initial_learning_rate * decay_rate^(step / decay_steps).

    Args:
        initial_learning_rate: above 0.
        decay_steps: at least 1.
        decay_rate: above 0; the rate rises where it is above 1.
        staircase: whether the exponent is rounded down to a whole number.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        arguments.positive_number(self.initial_learning_rate, "initial_learning_rate")
        arguments.positive_integer(self.decay_steps, "decay_steps")
        arguments.positive_number(self.decay_rate, "decay_rate")
        arguments.flag(self.staircase, "staircase")

    def __call__(self, step: int) -> float:
        exponent = step // self.decay_steps if self.staircase else step / self.decay_steps
        try:
            return float(self.initial_learning_rate * self.decay_rate**exponent)
        except OverflowError:  # a rate that rises
            return inf


@dataclass(frozen=True)
class PiecewiseConstantDecay(Schedule):
    """Learning rates that stay as they are between given steps.

    Args:
        boundaries: steps in ascending order, one or more: the last that have each of the values
            but the last one.
        values: the learning rates, at least 0; one more than there are boundaries.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    boundaries: Sequence[float]
    values: Sequence[float]

    def __post_init__(self) -> None:
        for name in ("boundaries", "values"):
            given = getattr(self, name)
            if not isinstance(given, (list, tuple)) or not given:
                raise InvalidValueError(f"{name} is {given!r}: it must be a list of numbers")
            for each in given:
                arguments.non_negative_number(each, f"a number of {name}")
            object.__setattr__(self, name, tuple(given))  # so that the caller's list may change
        if not all(one < other for one, other in pairwise(self.boundaries)):
            raise InvalidValueError(
                f"boundaries is {self.boundaries!r}: each must be above the last"
            )
        if len(self.values) != len(self.boundaries) + 1:
            raise InvalidValueError(
                f"there are {len(self.values)} values for {len(self.boundaries)} boundaries: "
                "there must be one more"
            )

    def __call__(self, step: int) -> float:
        return self.values[bisect_left(self.boundaries, step)]


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """Decay from `initial_learning_rate` to `end_learning_rate` along a power of the steps left.

    The rate is end + (initial - end) * (1 - step / decay_steps)^power.

    Args:
        initial_learning_rate: above 0.
        decay_steps: at least 1.
        end_learning_rate: at least 0.
        power: above 0; 1 for a straight line.
        cycle: whether, each time the end is reached, the decay goes on from a higher rate: it is
            then stretched to the next multiple of `decay_steps`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False

    def __post_init__(self) -> None:
        arguments.positive_number(self.initial_learning_rate, "initial_learning_rate")
        arguments.positive_integer(self.decay_steps, "decay_steps")
        arguments.non_negative_number(self.end_learning_rate, "end_learning_rate")
        arguments.positive_number(self.power, "power")
        arguments.flag(self.cycle, "cycle")

    @property
    def steps(self) -> float:
        return inf if self.cycle else self.decay_steps

    def __call__(self, step: int) -> float:
        cycles = max(1, -(-step // self.decay_steps)) if self.cycle else 1  # rounded up
        left = 1 - min(step / (cycles * self.decay_steps), 1.0)
        above_end = self.initial_learning_rate - self.end_learning_rate
        return float(self.end_learning_rate + above_end * left**self.power)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Rise to `max_learning_rate` in the first 30 % of `total_steps`, then decay to nearly 0.

    The first step has 1/25 of the maximum, and the last, `total_steps - 1`, 1/10,000 of that, as
    with PyTorch's OneCycleLR. Rise and decay follow half a cosine each.

    Smith and Topin, "Super-convergence", 2019.
    """

    max_learning_rate: float
    total_steps: int

    WARM_UP = 0.3
    START = 1 / 25
    END = 1 / 10_000

    def __post_init__(self) -> None:
        arguments.positive_number(self.max_learning_rate, "max_learning_rate")
        arguments.positive_integer(self.total_steps, "total_steps")

    @property
    def steps(self) -> float:
        return self.total_steps

    def __call__(self, step: int) -> float:
        start = self.max_learning_rate * self.START
        done = (step + 1) / self.total_steps  # including this step: the last one has the end value
        if done <= self.WARM_UP:
            up = (step / self.total_steps) / (self.WARM_UP - 1 / self.total_steps)
            return _cosine(start, self.max_learning_rate, up)
        down = (done - self.WARM_UP) / (1 - self.WARM_UP)
        return _cosine(self.max_learning_rate, start * self.END, down)


def _cosine(start: float, end: float, progress: float) -> float:
    """Interpolate along half a cosine from `start` at progress 0 to `end` at 1 and beyond."""
    return end + (start - end) * (1 + cos(pi * min(progress, 1.0))) / 2


if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
