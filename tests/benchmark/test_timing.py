from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from gpucnn.backends import CpuBackend
from gpucnn.benchmark import timing
from gpucnn.benchmark.timing import (
    Sampler,
    Task,
    clock_of,
    device_seconds,
    host_seconds,
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
