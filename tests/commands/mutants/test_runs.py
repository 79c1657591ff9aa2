"""Runs as processes and as forks, on commands that need no kernel."""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from gpucnn.commands.mutants.runs import ForkedRuns, Runs, StoppedError
from gpucnn.simulator.mutation import watching

SUITE = """
import os

FIRST, SECOND = "one", "two"

def note(name):
    with open("parents", "a") as file:
        print(name, os.getppid(), file=file)

def test_that_passes():
    note("passes")

def test_that_fails():
    note("fails")
    raise AssertionError
"""

SOURCE = 'extern "C" __global__ void nothing() { }'

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:hypothesispytest")

PASSES, FAILS = ("test_suite.py::test_that_passes", "test_suite.py::test_that_fails")


@pytest.fixture(autouse=True)
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a suite."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_suite.py").write_text(SUITE)
    return tmp_path


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is watched."""
    folder = tmp_path_factory.mktemp("watched")
    watching.prepare(folder, [])
    return folder


def parents(suite: Path) -> list[tuple[str, int]]:
    """The tests that have run, and the process that each was forked or started from."""
    lines = (suite / "parents").read_text().splitlines()
    return [(name, int(parent)) for name, parent in map(str.split, lines)]


def soon(holds: Callable[[], bool]) -> bool:
    """Whether a condition holds within ten seconds, as it does at once on an idle machine."""
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def test_tests_are_collected_once_for_all_forks(suite: Path, folder: Path) -> None:
    with closing(ForkedRuns(PYTEST, [])) as runs:
        assert runs.run(folder, [PASSES], 60) == 0
        assert runs.run(folder, [FAILS], 60) == 1
        assert (folder / "failed").read_text() == FAILS
    (checked, passed, failed) = parents(suite)
    assert (checked[0], passed[0], failed[0]) == ("passes", "passes", "fails")
    assert checked[1] == passed[1] == failed[1] != os.getpid()


@pytest.mark.parametrize(
    "begin",
    [
        f"from gpucnn.simulator import Module\nMODULE = Module('{SOURCE}')\n",
        SUITE.replace(
            "def note(name):",
            "COLLECTED = os.getpid()\n\ndef note(name):\n    assert os.getpid() == COLLECTED",
        ),
    ],
    ids=["compiles a kernel before its tests", "fails in a fork"],
)
def test_a_suite_that_cannot_be_forked_has_processes(suite: Path, folder: Path, begin: str) -> None:
    (suite / "test_suite.py").write_text(begin if "note" in begin else begin + SUITE)
    with closing(ForkedRuns(PYTEST, [SOURCE])) as runs:
        assert runs.run(folder, [PASSES], 60) == 0
    assert parents(suite) == [("passes", os.getpid())]


NESTED = """
import subprocess
import sys

def test_that_runs_another():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "test_suite.py"]
    assert "2 failed" in subprocess.run(command, capture_output=True, text=True).stdout
"""

INNER = """
from gpucnn.simulator import Module

def test_first():
    Module('extern "C" __global__ void nothing() { }').get_function("nothing")((1,), (1,), ())
    raise AssertionError

def test_second():
    raise AssertionError
"""


def test_what_a_test_runs_by_pytest_belongs_to_it(suite: Path, folder: Path) -> None:
    (suite / "test_suite.py").write_text(INNER)
    (suite / "test_nested.py").write_text(NESTED)
    watching.prepare(folder, [SOURCE])
    assert Runs((*PYTEST, "test_nested.py")).run(folder, None, 60) == 0
    nested = {"test_nested.py::test_that_runs_another"}
    assert watching.launching_tests(folder, 0) == nested
    assert Runs((*PYTEST, "test_nested.py")).run(folder, nested, 60) == 0


def test_what_is_not_pytest_is_run_by_itself(folder: Path) -> None:
    with closing(ForkedRuns((sys.executable, "-c", "raise SystemExit(3)"), [])) as runs:
        assert runs.run(folder, None, 60) == 3


def test_what_takes_too_long_is_ended_with_all_that_it_started(suite: Path, folder: Path) -> None:
    command = ("sh", "-c", "sleep 1000 & echo $! > started; wait")
    assert Runs(command).run(folder, None, 0.5) is None
    process = Path("/proc") / (suite / "started").read_text().strip()
    assert soon(lambda: not process.exists() or "Z" in (process / "stat").read_text())


def test_what_runs_can_be_stopped(suite: Path, folder: Path) -> None:
    runs = Runs(("sh", "-c", "touch started; sleep 1000"))

    def run() -> None:
        with suppress(StoppedError):  # where it is stopped at once
            assert runs.run(folder, None, None) == -9

    thread = threading.Thread(target=run)
    thread.start()
    assert soon((suite / "started").exists)
    runs.stop()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(StoppedError):
        runs.run(folder, None, None)
