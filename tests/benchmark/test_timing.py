from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import comb
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.example import ROUNDS
from expect import refusal
from gpucnn.backends import CpuBackend
from gpucnn.benchmark import timing
from gpucnn.benchmark.timing import (
    CONFIDENCE,
    LEAST_ROUNDS,
    Sampler,
    Spread,
    Task,
    clock_of,
    device_seconds,
    host_seconds,
    median_interval,
    paired_ratio,
    quartiles,
    take_turns,
)


class Machine:
    """A clock that goes on by a second with each call, and what was done in which order."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def task(self, name: str) -> Task:
        return Task(lambda: self._call(name), lambda: self._session(name), self._clock)

    def _call(self, name: str) -> None:
        self.now += 1
        self.log.append(name)

    @contextmanager
    def _session(self, name: str) -> Iterator[None]:
        self.now += 100
        self.log.append(f"enter {name}")
        yield
        self.now += 100

    def _clock(self, work: Callable[[], object]) -> float:
        started = self.now
        work()
        return self.now - started


def test_calls_are_repeated_until_a_sample_lasts() -> None:
    machine = Machine()
    sampler = Sampler(machine.task("a"), shortest=3)
    machine.log.clear()
    assert sampler.sample() == 1
    assert machine.log == ["enter a", "a", *"aaaa"]  # the first of a session is not timed


def test_warm_up_is_all_calls_before_the_first_sample() -> None:
    machine = Machine()
    sampler = Sampler(machine.task("a"), shortest=3)
    assert sampler.warm_up == 1 + 1 + 2 + 4
    assert machine.log.count("a") == sampler.warm_up + machine.log.count("enter a")


@pytest.mark.parametrize(("shortest", "calls"), [(0.5, 4), (0.2, 2), (0.1, 1)])
def test_what_lasts_anyway_is_called_a_few_times_unless_it_lasts_too_long(
    shortest: float, calls: int
) -> None:
    machine = Machine()
    sampler = Sampler(machine.task("a"), shortest)
    machine.log.clear()
    sampler.sample()
    assert machine.log == ["enter a", "a", *"a" * calls]


def test_rounds_take_all_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "PAUSE", 0)
    machine = Machine()
    samplers = [Sampler(machine.task(name), shortest=1) for name in "ab"]
    machine.log.clear()
    assert take_turns(samplers, rounds=2) == [[1, 1], [1, 1]]
    assert [each for each in machine.log if len(each) == 1] == [*"aaaaabbbbb" * 2]


def test_the_host_is_timed_by_its_clock() -> None:
    assert clock_of(CpuBackend()) is host_seconds
    done: list[int] = []
    assert host_seconds(lambda: done.append(1)) >= 0
    assert done == [1]


def test_a_gpu_is_timed_by_events() -> None:
    log: list[str] = []

    class Event:
        def record(self) -> None:
            log.append("record")

        def synchronize(self) -> None:
            log.append("synchronize")

    events = SimpleNamespace(Event=Event, get_elapsed_time=lambda before, after: 2500.0)
    cupy = SimpleNamespace(cuda=events)
    assert device_seconds(cupy, lambda: log.append("work")) == 2.5
    assert log == ["record", "work", "record", "synchronize"]
    backend = SimpleNamespace(xp=cupy)
    assert clock_of(backend)(lambda: None) == 2.5  # type: ignore[arg-type]


def test_quartiles() -> None:
    assert quartiles([5, 1, 3, 2, 4]) == Spread(2, 3, 4)
    assert quartiles([7]) == Spread(7, 7, 7)


def test_a_paired_ratio_does_not_see_what_slows_both() -> None:
    first = [1.0, 1.0, 5.0]
    assert paired_ratio([2.0, 2.0, 10.0], first) == Spread(2, 2, 2)
    assert paired_ratio([2.0, 4.0, 15.0], first).median == 3


def test_a_paired_ratio_needs_the_same_rounds() -> None:
    with pytest.raises(ValueError, match="longer"):
        paired_ratio([1.0], [1.0, 2.0])


def test_the_interval_of_eleven_rounds() -> None:
    """Conover's table: the second of eleven from either end, with 98.8 %."""
    assert median_interval(ROUNDS) == (0.98, 1.02)


@pytest.mark.parametrize("count", [LEAST_ROUNDS, 8, 11, 25, 100])
def test_the_interval_is_the_narrowest_that_is_sure_enough(count: int) -> None:
    low, high = median_interval(range(count))
    assert low == count - 1 - high
    assert coverage(count, int(low)) >= CONFIDENCE > coverage(count, int(low) + 1)


def coverage(count: int, left_out: int) -> float:
    """How often the median lies between two order statistics, by the sum over what is between."""
    between = range(left_out + 1, count - left_out)
    return float(sum(comb(count, below) for below in between) / 2**count)


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    samples = np.random.default_rng(0).exponential(size=(2000, 11))
    intervals = [median_interval(list(sample)) for sample in samples]
    held = np.mean([low <= np.log(2) <= high for low, high in intervals])
    assert held == pytest.approx(0.988, abs=0.01)


def test_too_few_rounds() -> None:
    with refusal("6 rounds do not tell a change from noise: measure at least 7"):
        median_interval([1.0] * 6)
