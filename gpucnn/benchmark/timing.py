"""Timing: calls that are repeated until the clock can tell, in rounds in which all take turns."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from time import perf_counter, sleep
from typing import Any

import numpy as np

from gpucnn.backends import Backend

Clock = Callable[[Callable[[], object]], float]
"""Does some work, and gives the seconds that it took."""

PAUSE = 0.06
"""Seconds before a sample, in which threads come to rest that were left spinning.

OpenBLAS's do so for 2^26 ticks of the processor, 27 ms at 2.5 GHz, whenever they are started, as
they are at the end of a session; OpenMP's, which PyTorch uses, for some milliseconds.
"""

FEWEST = 4
"""Calls of a sample: the mean of fewer is what the machine did in that moment."""

LONGEST = 10
"""How many times as long as it must, a sample may last for the sake of `FEWEST`."""


def host_seconds(work: Callable[[], object]) -> float:
    """The seconds that `work` takes by the host's clock."""
    started = perf_counter()
    work()
    return perf_counter() - started


def device_seconds(cupy: Any, work: Callable[[], object]) -> float:
    """The seconds between events of the current GPU, one before `work` and one after it."""
    before, after = cupy.cuda.Event(), cupy.cuda.Event()
    before.record()
    work()
    after.record()
    after.synchronize()
    return float(cupy.cuda.get_elapsed_time(before, after)) / 1000


def clock_of(backend: Backend) -> Clock:
    """The clock for work on a backend: a GPU's events, for what lives on one."""
    return host_seconds if backend.xp is np else partial(device_seconds, backend.xp)


@dataclass(frozen=True)
class Task:
    """A call that is to be timed.

    Args:
        call: does the work once.
        repeat: does it so many times, where there is a better way than to call so often.
        session: what it has to run in, entered outside of the timing.
        clock: the seconds that work takes.
    """

    call: Callable[[], object]
    session: Callable[[], AbstractContextManager[Any]] = nullcontext
    clock: Clock = host_seconds
    repeat: Callable[[int], object] | None = None


class Sampler:
    """A task, warmed up, and repeated as often as a sample needs to last `shortest` seconds.

    A sample has at least `FEWEST` calls, unless these take too long, see `LONGEST`. The first call
    of each session is not timed.

    Attributes:
        warm_up: the seconds that the timed calls before the first sample took.
    """

    def __init__(self, task: Task, shortest: float) -> None:
        self._task = task
        self.warm_up = self._seconds(1)  # by itself: it does what only the first call does
        self._count = 1
        while not self._is_enough(seconds := self._seconds(self._count), shortest):
            self.warm_up += seconds
            self._count *= 2
        self.warm_up += seconds

    def sample(self) -> float:
        """The seconds of one call, the mean over one sample."""
        return self._seconds(self._count) / self._count

    def _is_enough(self, seconds: float, shortest: float) -> bool:
        if self._count < FEWEST:
            return seconds >= LONGEST * shortest
        return seconds >= shortest

    def _seconds(self, count: int) -> float:
        with self._task.session():
            self._task.call()  # wakes threads, and brings memory back: not timed, for any subject
            repeat = self._task.repeat or partial(_repeat, self._task.call)
            return self._task.clock(partial(repeat, count))


def take_turns(samplers: Sequence[Sampler], rounds: int) -> list[list[float]]:
    """The seconds of each in each round; a round takes a sample of each, in order."""
    seconds: list[list[float]] = [[] for _ in samplers]
    for _ in range(rounds):
        for sampler, mine in zip(samplers, seconds, strict=True):
            sleep(PAUSE)
            mine.append(sampler.sample())
    return seconds


def _repeat(call: Callable[[], object], count: int) -> None:
    for _ in range(count):
        call()
