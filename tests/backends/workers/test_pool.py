"""Worker processes: how they are started, leased, lost and ended."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpucnn.backends.workers import pool as module
from gpucnn.backends.workers.in_worker import Context
from gpucnn.backends.workers.pool import WorkerPool, is_nested, usable_cores
from gpucnn.backends.workers.shared_arrays import SharedArrays
from gpucnn.backends.workers.team import Team
from gpucnn.backends.workers.worker import WorkersLostError
from gpucnn.errors import GpucnnWarning

pytestmark = pytest.mark.usefixtures("workers")

LARGEST = 1000


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    """A pool of its own, whose workers end with the test."""
    made = WorkerPool()
    yield made
    made.drop(list(made._workers))


def lease(pool: WorkerPool, count: int) -> Team:
    """A team, as soon as it can be had."""
    assert pool.request(count)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (team := pool.lease(count, LARGEST)) is not None:
            return team
        time.sleep(0.01)
    raise TimeoutError


def seen_by(team: Team) -> list[int]:
    """The processes of all ranks."""

    def write(context: Context, arrays: SharedArrays) -> None:
        arrays["seen"][context.communicator.rank] = os.getpid()
        context.communicator.barrier()

    arrays = SharedArrays({"seen": ((team.communicator.size,), np.int64)})
    arrays["seen"][0] = os.getpid()
    team.call(write, arrays)
    team.communicator.barrier()
    return list(map(int, arrays["seen"]))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def is_alive(process: int) -> bool:
    """Whether there is such a process, and it has not ended unseen by its parent."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


class TestTeam:
    def test_is_of_processes_of_their_own(self, pool: WorkerPool) -> None:
        processes = seen_by(lease(pool, 2))
        assert len(set(processes)) == 3
        assert processes[0] == os.getpid()

    def test_has_the_same_workers_the_next_time(self, pool: WorkerPool) -> None:
        first = lease(pool, 1)
        processes = seen_by(first)
        first.disband()
        assert seen_by(lease(pool, 1)) == processes

    def test_grows(self, pool: WorkerPool) -> None:
        first = lease(pool, 1)
        processes = seen_by(first)
        first.disband()
        assert seen_by(lease(pool, 3))[:2] == processes

    def test_forgets_what_it_has_kept(self, pool: WorkerPool) -> None:
        def keep(context: Context) -> None:
            context.kept["thing"] = 1

        def look(context: Context, arrays: SharedArrays) -> None:
            arrays["found"][0] = len(context.kept)
            context.communicator.barrier()

        team = lease(pool, 1)
        team.call(keep)
        team.disband()
        again, arrays = lease(pool, 1), SharedArrays({"found": ((1,), np.int64)})
        arrays["found"][0] = -1
        again.call(look, arrays)
        again.communicator.barrier()
        assert arrays["found"][0] == 0

    def test_is_had_by_one_at_a_time(self, pool: WorkerPool) -> None:
        team = lease(pool, 1)
        assert not pool.is_ready(1)
        assert pool.lease(1, LARGEST) is None
        team.disband()
        assert pool.is_ready(1)

    def test_is_had_by_one_of_threads_that_ask_at_once(
        self, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that has waited for another's lease to be made does not end it."""
        lease(pool, 1).disband()
        asked, made = threading.Event(), threading.Event()
        original, teams = Team.__init__, []

        def slowly(team: Team, *arguments: Any) -> None:
            asked.set()
            made.wait(60)
            original(team, *arguments)

        monkeypatch.setattr(Team, "__init__", slowly)
        threads = [
            threading.Thread(target=lambda: teams.append(pool.lease(1, LARGEST))) for _ in range(2)
        ]
        threads[0].start()
        asked.wait(60)
        threads[1].start()
        time.sleep(0.1)  # in which it comes as far as it can
        made.set()
        for thread in threads:
            thread.join(60)
        assert sum(team is not None for team in teams) == 1
        assert not pool.is_ready(1)
        assert pool.lease(1, LARGEST) is None

    def test_works_with_one_thread_of_blas(self, pool: WorkerPool) -> None:
        def count(context: Context, arrays: SharedArrays) -> None:
            from threadpoolctl import threadpool_info

            arrays["threads"][:] = max(each["num_threads"] for each in threadpool_info())
            context.communicator.barrier()

        team, arrays = lease(pool, 1), SharedArrays({"threads": ((1,), np.int64)})
        team.call(count, arrays)
        team.communicator.barrier()
        assert arrays["threads"][0] == 1


class TestLoss:
    def test_of_a_worker_that_is_killed(self, pool: WorkerPool) -> None:
        team = lease(pool, 2)
        os.kill(seen_by(team)[1], signal.SIGKILL)
        with pytest.raises(WorkersLostError, match="a worker process has ended without a word"):
            seen_by(team)
        team.abandon()

    def test_of_one_that_fails_is_told_with_its_reason(self, pool: WorkerPool) -> None:
        def fail(context: Context) -> None:
            raise KeyError("no such thing")

        team = lease(pool, 1)
        team.call(fail)
        with pytest.raises(WorkersLostError, match="KeyError: 'no such thing'"):
            team.communicator.barrier()
        team.abandon()

    def test_of_something_that_cannot_be_sent(self, pool: WorkerPool) -> None:
        team = lease(pool, 1)
        with pytest.raises(WorkersLostError, match="this cannot be sent to a worker"):
            team.call(print, threading.Lock())
        team.abandon()

    def test_others_are_started_in_their_place(self, pool: WorkerPool) -> None:
        team = lease(pool, 1)
        before = seen_by(team)
        team.abandon()
        assert not is_alive(before[1])
        assert seen_by(lease(pool, 1)) != before

    def test_within_the_team_while_idle(self, pool: WorkerPool) -> None:
        team = lease(pool, 1)
        worker = seen_by(team)[1]
        team.disband()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not is_alive(worker))
        assert seen_by(lease(pool, 1))[1] != worker


class TestRefusal:
    """What cannot be had is said once, and done without."""

    @pytest.mark.parametrize(
        "error", [OSError(28, "No space left on device"), ImportError("no sem_open"), ValueError()]
    )
    def test_of_the_system(
        self, pool: WorkerPool, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(number: int) -> None:
            raise error

        monkeypatch.setattr(module, "Worker", refuse)
        with pytest.warns(GpucnnWarning, match=r"no worker processes can be started \(") as told:
            assert not pool.request(1)
        assert "\n" not in str(told[0].message)
        assert not pool.request(1)  # without another warning
        assert pool.lease(1, LARGEST) is None

    @pytest.mark.parametrize("nested", ["in a test runner", "in a pool", "in a fork"])
    def test_where_they_make_no_sense(
        self, pool: WorkerPool, nested: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if nested == "in a test runner":
            monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
        elif nested == "in a pool":
            monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
        else:
            monkeypatch.setattr(module, "POOL", WorkerPool(is_of_a_fork=True))
        assert is_nested()
        assert usable_cores() == 1
        assert not pool.request(1)


@pytest.mark.parametrize(("limit", "cores"), [(None, 5), ("3", 3)])
def test_usable_cores(limit: str | None, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loky.cpu_count", lambda: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert usable_cores() == cores


PROGRAM = """
import sys, time
import numpy as np
from gpucnn.backends.workers.pool import pool
pool().request(1)
while (team := pool().lease(1, 100)) is None:
    time.sleep(0.01)
def tell(context):
    import os
    print(os.getpid(), flush=True)
    context.communicator.barrier()
team.call(tell)
team.communicator.barrier()
"""


def start(rest: str) -> "subprocess.Popen[str]":
    """A program that prints the process of its worker, and goes on with `rest`."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_XDIST_WORKER"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + rest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment,
    )


def worker_of(program: "subprocess.Popen[str]") -> int:
    assert program.stdout is not None
    return int(program.stdout.readline())


class TestEnd:
    """Workers end with the program that they work for, whatever ends it."""

    @pytest.mark.parametrize(
        "rest",
        [
            pytest.param("", id="in a lease"),
            pytest.param("team.disband()", id="idle"),
            pytest.param("raise SystemExit", id="by an exception"),
            pytest.param("import os; os._exit(0)", id="at once"),
            pytest.param("import os; os.kill(os.getpid(), 9)", id="killed"),
            pytest.param(
                "team.call(lambda c: c.communicator.barrier()); import os; os.kill(os.getpid(), 9)",
                id="killed while they wait at a barrier",
            ),
        ],
    )
    def test_comes_with_the_end_of_the_program(self, rest: str) -> None:
        with start(rest) as program:
            worker = worker_of(program)
            assert program.stderr is not None
            assert program.stderr.read() == ""
        wait_until(lambda: not is_alive(worker))

    def test_comes_where_a_forked_process_lives_on(self) -> None:
        rest = (
            "import os\nif os.fork() == 0:\n    time.sleep(60)\n"
            "print('forked', flush=True)\nos.kill(os.getpid(), 9)"
        )
        with start(rest) as program:
            worker = worker_of(program)
            program.wait(30)
            wait_until(lambda: not is_alive(worker))
            os.killpg(program.pid, signal.SIGKILL)

    def test_does_not_come_by_ctrl_c(self) -> None:
        rest = (
            "try:\n    print('go', flush=True)\n    time.sleep(60)\n"
            "except KeyboardInterrupt:\n    pass\n"
            "team.call(tell)\nteam.communicator.barrier()\n"
        )
        with start(rest) as program:
            worker = worker_of(program)
            assert program.stdout is not None
            assert program.stdout.readline() == "go\n"
            os.killpg(program.pid, signal.SIGINT)
            assert worker_of(program) == worker
            assert program.stderr is not None
            assert program.stderr.read() == ""


class TestForkedProcess:
    """It has no workers, and leaves those of the process that forked it alone."""

    def test_works_alone_and_harms_nobody(self) -> None:
        rest = """
import os
child = os.fork()
if child == 0:
    from gpucnn.backends.workers.pool import is_nested
    from gpucnn.backends.workers.worker import WorkersLostError
    try:
        team.call(tell)
    except WorkersLostError:
        team.abandon()
        sys.exit(0 if is_nested() and not pool().request(1) else 1)
    sys.exit(2)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
team.call(tell)
team.communicator.barrier()
team.disband()
"""
        with start(rest) as program:
            worker = worker_of(program)
            assert program.stdout is not None
            assert program.stderr is not None
            assert program.stdout.read().split() == ["0", str(worker)]
            assert program.stderr.read() == ""


def test_nothing_is_left_behind(pool: WorkerPool) -> None:
    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def leased() -> Any:
        team = lease(pool, 1)
        seen_by(team)
        team.disband()

    leased()
    before = files()
    for _ in range(5):
        leased()
    assert files() == before
