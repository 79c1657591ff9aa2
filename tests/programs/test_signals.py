"""Programs that get signals, and whose processes are killed."""

import os
import signal
import time

import pytest

from programs.conftest import Answer, Start, clean, warned
from programs.program import LIMIT, POLL, Program, script


def test_ctrl_c_reaches_the_user(start: Start, known: dict[str, str]) -> None:
    program = start(*script("signals/interrupted.py"))
    program.wait_for("fitting")
    time.sleep(1)
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to all processes of the program
    assert clean(program.finish()) == f"fitting\ninterrupted\ntrained {known['trained']}\n"


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [("handled", 3, "fitting\ngood-bye\n"), ("unhandled", -signal.SIGTERM, "fitting\n")],
)
def test_sigterm_ends_it(start: Start, how: str, status: int, told: str) -> None:
    program = start(*script("signals/terminated.py", how))
    program.wait_for("fitting")
    time.sleep(1)
    program.process.terminate()
    outcome = program.finish(tidy=how == "handled")
    assert (outcome.status, outcome.out, outcome.err) == (status, told, "")


def test_its_processes_end_with_it(start: Start) -> None:
    program = start(*script("signals/long_fit.py"))
    program.wait_for("fitting")
    _await_workers(program)
    program.process.kill()
    assert program.finish(tidy=False).status == -signal.SIGKILL


@pytest.mark.parametrize("children", ["noticed", "ignored"])
def test_it_loses_its_workers(start: Start, known: dict[str, str], children: str) -> None:
    program = start(*script("signals/lose_workers.py", children))
    program.wait_for("fitting")
    for worker in _await_workers(program):
        os.kill(worker, signal.SIGKILL)
    first, second = warned(program.finish(tidy=False)).splitlines()[1:]
    assert second == f"trained {known['trained']}"
    assert first in ("refused in 1 line", f"trained {known['trained long']}")


def test_children_are_ignored(answer: Answer, known: dict[str, str]) -> None:
    told = f"trained {known['trained']}\npredicted {known['predicted']}\n"
    assert answer("signals/children_ignored.py") == told


def test_alarms_come(answer: Answer, known: dict[str, str]) -> None:
    told = f"trained {known['trained']}\npredicted {known['predicted']}\nalarms came True\n"
    assert answer("signals/alarms.py") == told


def _await_workers(program: Program) -> list[int]:
    """The processes that work for a program which fits, once it has some."""
    deadline = time.monotonic() + LIMIT / 2
    while not (workers := program.workers()):
        assert time.monotonic() < deadline, "it has no workers"
        time.sleep(POLL)
    return workers
