"""Learning rates as functions of the number of the training step."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import cos, inf, pi

from gpucnn.utils import arguments


class Schedule(ABC):
    """The learning rate of each training step."""

    @property
    def steps(self) -> float:
        """How many steps it is made for; after them it stays at its last learning rate."""
        return inf

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The learning rate of step `step`, 0 for the first."""


@dataclass(frozen=True)
class Constant(Schedule):
    """The same learning rate at every step."""

    learning_rate: float

    def __post_init__(self) -> None:
        arguments.positive_number(self.learning_rate, "learning_rate")

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return self.learning_rate


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """From `initial_learning_rate` to 0 along half a cosine, in `decay_steps` steps.

    Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts.
    """

    initial_learning_rate: float
    decay_steps: int

    def __post_init__(self) -> None:
        arguments.positive_number(self.initial_learning_rate, "initial_learning_rate")
        arguments.positive_integer(self.decay_steps, "decay_steps")

    @property
    def steps(self) -> float:
        """See `Schedule`."""
        return self.decay_steps

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return _cosine(self.initial_learning_rate, 0.0, step / self.decay_steps)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to `max_learning_rate` in the first 30 % of `total_steps`, and down to nearly nothing.

    The first step has 1/25 of the maximum, and the last, `total_steps - 1`, 1/10,000 of that, as
    with PyTorch's OneCycleLR; it goes along half a cosine each way.

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
        """See `Schedule`."""
        return self.total_steps

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        start = self.max_learning_rate * self.START
        done = (step + 1) / self.total_steps  # with this step, so that the last one has the end
        if done <= self.WARM_UP:
            up = (step / self.total_steps) / (self.WARM_UP - 1 / self.total_steps)
            return _cosine(start, self.max_learning_rate, up)
        down = (done - self.WARM_UP) / (1 - self.WARM_UP)
        return _cosine(self.max_learning_rate, start * self.END, down)


def _cosine(start: float, end: float, progress: float) -> float:
    """Half a cosine from `start` at progress 0 to `end` at 1, and `end` from there on."""
    return end + (start - end) * (1 + cos(pi * min(progress, 1.0))) / 2
