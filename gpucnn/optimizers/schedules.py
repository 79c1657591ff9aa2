"""Learning rate schedules: the learning rate as a function of the training step."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import cos, inf, pi

from gpucnn.utils import arguments


class Schedule(ABC):
    """The learning rate of each training step."""

    @property
    def steps(self) -> float:
        """The length of the schedule in steps; beyond it the learning rate stays as at its end."""
        return inf

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""


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
    """Decay from `initial_learning_rate` to 0 along half a cosine, in `decay_steps` steps.

    Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts.
    """

    initial_learning_rate: float
    decay_steps: int

    def __post_init__(self) -> None:
        arguments.positive_number(self.initial_learning_rate, "initial_learning_rate")
        arguments.positive_integer(self.decay_steps, "decay_steps")

    @property
    def steps(self) -> float:
        return self.decay_steps

    def __call__(self, step: int) -> float:
        return _cosine(self.initial_learning_rate, 0.0, step / self.decay_steps)


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
