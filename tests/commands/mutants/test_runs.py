"""Runs as processes and as forks, on commands that need no kernel."""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gpucnn.commands.mutants.runs import ForkedRuns, Runs
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
    runs = ForkedRuns(PYTEST, [])
    try:
        assert runs.run(folder, [PASSES], 60) == 0
        assert runs.run(folder, [FAILS], 60) == 1
        assert (folder / "failed").read_text() == FAILS
    finally:
        runs.close()
    (checked, passed, failed) = parents(suite)
    assert (checked[0], passed[0], failed[0]) == ("passes", "passes", "fails")
    assert checked[1] == passed[1] == failed[1] != os.getpid()


def test_kernels_that_are_compiled_before_the_tests_are_left_to_processes(
    suite: Path, folder: Path
) -> None:
    source = 'extern "C" __global__ void nothing() { }'
    loads = f"from gpucnn.simulator import Module\nMODULE = Module('{source}')\n"
    (suite / "test_suite.py").write_text(loads + SUITE)
    runs = ForkedRuns(PYTEST, [source])
    try:
        assert runs.run(folder, [PASSES], 60) == 0
    finally:
        runs.close()
    assert parents(suite) == [("passes", os.getpid())]


def test_what_is_not_pytest_is_run_by_itself(folder: Path) -> None:
    runs = ForkedRuns((sys.executable, "-c", "raise SystemExit(3)"), [])
    try:
        assert runs.run(folder, None, 60) == 3
    finally:
        runs.close()


def test_what_takes_too_long_is_ended_with_all_that_it_started(suite: Path, folder: Path) -> None:
    command = ("sh", "-c", "sleep 1000 & echo $! > started; wait")
    assert Runs(command).run(folder, None, 0.5) is None
    process = Path("/proc") / (suite / "started").read_text().strip()
    assert soon(lambda: not process.exists() or "Z" in (process / "stat").read_text())


def test_what_runs_can_be_stopped(suite: Path, folder: Path) -> None:
    runs = Runs(("sh", "-c", "touch started; sleep 1000"))
    found: list[int | None] = []
    thread = threading.Thread(target=lambda: found.append(runs.run(folder, None, None)))
    thread.start()
    assert soon((suite / "started").exists)
    runs.stop()
    thread.join(10)
    assert found == [-9]
