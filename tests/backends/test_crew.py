import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gpucnn.backends.crew import CAN_FORK, Crew, shared
from gpucnn.errors import DeviceError

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="processes are not forked here")


def children() -> list[int]:
    """The processes that this one has forked and not waited for."""
    of_this = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(child) for child in of_this.read_text().split()]


def members(size: int, tasks: int) -> list[int]:
    """The process that ran each task."""
    crew, ran_by = Crew(), shared((tasks,), np.int64)

    def task(number: int) -> None:
        ran_by[number] = os.getpid()

    with crew.gather(size):
        crew.run([partial(task, number) for number in range(tasks)])
    return list(ran_by)


def test_tasks_run_in_processes_of_their_own() -> None:
    ran_by = members(3, 3)
    assert ran_by[0] == os.getpid()
    assert len(set(ran_by)) == 3


def test_more_tasks_than_processes_run_in_turn() -> None:
    ran_by = members(2, 5)
    assert ran_by == [ran_by[0], ran_by[1]] * 2 + [ran_by[0]]


def test_fewer_tasks_than_processes_run_once() -> None:
    assert members(3, 1) == [os.getpid()]


def test_one_process_runs_all() -> None:
    assert members(1, 3) == [os.getpid()] * 3


def test_outside_of_a_span_one_process_runs_all() -> None:
    crew, ran = Crew(), []
    crew.run([lambda: ran.append(1), lambda: ran.append(2)])
    assert ran == [1, 2]


def test_all_are_done_when_run_returns() -> None:
    crew, values, total = Crew(), shared((2,), np.int64), 0
    with crew.gather(2):
        for step in range(1, 200):
            crew.run([partial(values.__setitem__, rank, step) for rank in range(2)])
            assert values.sum() == 2 * step  # in both: one that fails is told at the end
            total += values.sum()
    assert total == sum(2 * step for step in range(1, 200))


def test_private_memory_is_computed_by_each() -> None:
    crew, private, seen = Crew(), np.zeros(1), shared((2,), np.float64)
    with crew.gather(2):
        private += 1
        crew.run([partial(np.copyto, seen[rank : rank + 1], private) for rank in range(2)])
    assert list(seen) == [1, 1]
    assert private[0] == 1


def test_one_process_goes_on() -> None:
    crew = Crew()
    with crew.gather(3):
        pass
    assert crew.leads
    assert children() == []


def test_a_span_within_another_changes_nothing() -> None:
    crew, ran_by = Crew(), shared((2,), np.int64)

    def task(number: int) -> None:
        ran_by[number] = os.getpid()

    with crew.gather(2), crew.gather(2):
        crew.run([partial(task, number) for number in range(2)])
    assert len(set(ran_by)) == 2


def test_a_crew_gathers_again() -> None:
    crew, counts = Crew(), shared((2,), np.int64)
    for _ in range(3):
        with crew.gather(2):
            crew.run([partial(np.add, each, 1, each) for each in np.split(counts, 2)])
    assert list(counts) == [3, 3]


def test_an_error_ends_all_processes() -> None:
    crew = Crew()
    with pytest.raises(KeyError), crew.gather(3):
        raise KeyError
    assert children() == []


def fail() -> None:
    os._exit(3)


def fail_unless(leads: bool) -> None:
    if not leads:
        fail()


def test_a_process_that_ends_early_is_told() -> None:
    crew = Crew()
    with pytest.raises(DeviceError, match="has ended"), crew.gather(2):
        crew.run([lambda: None, fail])
    assert children() == []


def test_a_process_that_fails_at_the_end_is_told() -> None:
    crew = Crew()
    with pytest.raises(DeviceError, match="has ended"), crew.gather(2):
        fail_unless(crew.leads)
    assert children() == []


def raise_unless(leads: bool) -> None:
    if not leads:
        raise MemoryError("no memory for 3 GB")


def test_the_reason_of_a_failure_is_told() -> None:
    crew = Crew()
    with pytest.raises(DeviceError, match="MemoryError: no memory for 3 GB"), crew.gather(2):
        raise_unless(crew.leads)


def test_a_fork_that_fails_ends_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    crew, fork = Crew(), os.fork
    forked: list[bool] = []

    def fork_once() -> int:
        if forked:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        forked.append(True)
        return fork()

    monkeypatch.setattr(os, "fork", fork_once)
    with pytest.raises(DeviceError, match="3 processes cannot be started"), crew.gather(3):
        pass
    assert children() == []
    ran: list[int] = []
    crew.run([lambda: ran.append(1)])
    assert ran == [1]


def test_ctrl_c_ends_all_processes() -> None:
    code = """
import os, time, numpy as np
from gpucnn.backends.crew import Crew, shared
crew, ran_by = Crew(), shared((2,), np.int64)
try:
    with crew.gather(2):
        crew.run([lambda r=r: ran_by.__setitem__(r, os.getpid()) for r in range(2)])
        if crew.leads:
            print(ran_by[1], flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as first:
        assert first.stdout is not None
        other = int(first.stdout.readline())
        os.killpg(first.pid, signal.SIGINT)
        assert first.stdout.read() == "stopped\n"  # once
    assert not is_alive(other)


def test_the_others_end_with_the_first() -> None:
    code = """
import os, time, numpy as np
from gpucnn.backends.crew import Crew, shared
crew, ran_by = Crew(), shared((2,), np.int64)
with crew.gather(2):
    crew.run([lambda r=r: ran_by.__setitem__(r, os.getpid()) for r in range(2)])
    if crew.leads:
        print(ran_by[1], flush=True)
        time.sleep(60)
    crew.run([lambda: None, lambda: None])
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        other = int(first.stdout.readline())
        first.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while is_alive(other) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(other)


def is_alive(process: int) -> bool:
    """Whether there is such a process, and it has not ended unseen by its parent."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_shared_memory_is_of_zeros() -> None:
    np.testing.assert_array_equal(
        shared((2, 3), "float32"), np.zeros((2, 3), "float32"), strict=True
    )


def test_shared_memory_may_be_empty() -> None:
    assert shared((0, 3), "float32").shape == (0, 3)
