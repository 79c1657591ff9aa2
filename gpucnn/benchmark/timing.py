"""Timing: clocks, samples of repeated calls taken in turns, and statistics of the samples."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import comb, sqrt
from statistics import median
from time import perf_counter, sleep
from typing import Any, NamedTuple

import numpy as np

from gpucnn.backends import Backend
from gpucnn.errors import InvalidValueError

Clock = Callable[[Callable[[], object]], float]
"""Runs some work and returns the seconds that it took."""

PAUSE = 0.06
"""Seconds of sleep before a sample, in which spinning threads come to rest.

OpenBLAS's threads spin for 2^26 ticks of the processor, 27 ms at 2.5 GHz, whenever they are
started, as they are at the end of a session; OpenMP's, which PyTorch uses, for some milliseconds.
"""

SHORTEST = 0.05
"""The least seconds of a sample."""

FEWEST = 4
"""Least calls in a sample: the mean of fewer reflects a momentary state of the machine."""

LONGEST = 10
"""How many times its shortest length a sample may last to reach `FEWEST` calls."""

TRIAL_ROUNDS = 5  # in which one of several ways is chosen, see `fastest`
TRIAL_SECONDS = 0.02  # of a sample in these rounds

CONFIDENCE = sqrt(0.95)  # of one median's interval, so that those of two hold at once in 95 %
LEAST_ROUNDS = 7  # the extremes of fewer hold their median between them less often than that


# Clocks


def host_seconds(work: Callable[[], object]) -> float:
    """The seconds that `work` takes by the host's clock."""
    started = perf_counter()
    work()
    return perf_counter() - started


def device_seconds(cupy: Any, work: Callable[[], object]) -> float:
    """The seconds that `work` takes on the current GPU, between two CUDA events."""
    before, after = cupy.cuda.Event(), cupy.cuda.Event()
    before.record()
    work()
    after.record()
    after.synchronize()
    return float(cupy.cuda.get_elapsed_time(before, after)) / 1000


def clock_of(backend: Backend) -> Clock:
    """The clock for work on a backend: CUDA events on a GPU, else the host's clock."""
    return host_seconds if backend.xp is np else partial(device_seconds, backend.xp)


# Samples


@dataclass(frozen=True)
class Task:
    """A call to time.

    Args:
        call: does the work once.
        session: the context to run in, entered outside of the timing.
        clock: measures the seconds that work takes.
        repeat: does the work a given number of times; None to call `call` that often.
    """

    call: Callable[[], object]
    session: Callable[[], AbstractContextManager[Any]] = nullcontext
    clock: Clock = host_seconds
    repeat: Callable[[int], object] | None = None


class Sampler:
    """Samples of a task: the task is warmed up, and its calls for a sample are counted out.

    A sample lasts `shortest` seconds or more, and has at least `FEWEST` calls unless these take too
    long, see `LONGEST`. The first call of each session is not timed.

    Args:
        task: what to time.
        shortest: the least length of a sample, in seconds.

    Attributes:
        warm_up: the seconds that the timed calls before the first sample took.
    """

    def __init__(self, task: Task, shortest: float) -> None:
        self._task = task
        self.warm_up = self._seconds(1)  # apart: includes work that only the first call does
        self._count = 1
        while not self._is_enough(seconds := self._seconds(self._count), shortest):
            self.warm_up += seconds
            self._count *= 2
        self.warm_up += seconds

    def sample(self) -> float:
        """The seconds of one call: the mean over one sample."""
        return self._seconds(self._count) / self._count

    def _is_enough(self, seconds: float, shortest: float) -> bool:
        if self._count < FEWEST:
            return seconds >= LONGEST * shortest
        return seconds >= shortest

    def _seconds(self, count: int) -> float:
        with self._task.session():
            self._task.call()  # wakes threads and pages memory in: not timed, for any contender
            repeated = self._task.repeat or partial(repeat, self._task.call)
            return self._task.clock(partial(repeated, count))


def take_turns(samplers: Sequence[Sampler], rounds: int) -> list[list[float]]:
    """The seconds of a call in each round, a list for each sampler.

    A round takes one sample of each, in order.
    """
    seconds: list[list[float]] = [[] for _ in samplers]
    for _ in range(rounds):
        for sampler, mine in zip(samplers, seconds, strict=True):
            sleep(PAUSE)
            mine.append(sampler.sample())
    return seconds


def fastest(tasks: Sequence[Task]) -> int:
    """The index of the task that is the fastest in a few short rounds."""
    samplers = [Sampler(task, TRIAL_SECONDS) for task in tasks]
    medians = [median(each) for each in take_turns(samplers, TRIAL_ROUNDS)]
    return medians.index(min(medians))


def repeat(call: Callable[[], object], count: int) -> None:
    """Do the same `count` times."""
    for _ in range(count):
        call()


# Statistics


class Spread(NamedTuple):
    """A median, and the quartiles below and above it."""

    low: float
    median: float
    high: float


def quartiles(values: Sequence[float]) -> Spread:
    """The median and the quartiles of some values, at least one."""
    return Spread(*map(float, np.percentile(values, (25, 50, 75))))


def paired_ratio(seconds: Sequence[float], baseline: Sequence[float]) -> Spread:
    """The ratios of two contenders' times, round by round: their median and quartiles.

    What disturbs a round disturbs both contenders and mostly cancels in the ratio; it would not in
    a ratio of medians.

    Args:
        seconds: of one contender, in each round.
        baseline: of the contender to compare with, in the same rounds.
    """
    return quartiles([mine / other for mine, other in zip(seconds, baseline, strict=True)])


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The confidence interval of the median, at the level `CONFIDENCE`.

    The interval ends at two of the values, equally many places from either end: the number of
    values below the true median is binomial, whatever their distribution (Conover, "Practical
    Nonparametric Statistics", third edition, 1999, section 3.2). The values are assumed to be
    independent.

    Raises:
        InvalidValueError: there are fewer than `LEAST_ROUNDS` values.
    """
    count = len(values)
    if count < LEAST_ROUNDS:
        raise InvalidValueError(
            f"{count} rounds do not tell a change from noise: measure at least {LEAST_ROUNDS}"
        )
    ordered = sorted(values)
    left_out = _left_out(count)
    return ordered[left_out], ordered[count - 1 - left_out]


def _left_out(count: int) -> int:
    """The number of `count` ordered values that lie outside the interval, at either end."""
    tails = accumulate(comb(count, below) / 2**count for below in range(count))
    return len([tail for tail in tails if 2 * tail <= 1 - CONFIDENCE]) - 1
