"""Running a script as several ranks, by the `mpiexec` that is installed with the tests."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import NamedTuple

MPIEXEC = Path(sys.executable).with_name("mpiexec")
SCRIPTS = Path(__file__).parent / "ranks_scripts"

OF_TESTS = ("PYTEST_XDIST_WORKER", "PMI_", "HYDI_", "MPI_", "GPUCNN_")
"""What the names of variables begin with that ranks are not to inherit from a test."""

LIMIT = 60.0
"""Seconds after which ranks hang, on a machine with much else to do."""

NOTHING: Mapping[str, str] = MappingProxyType({})


class Outcome(NamedTuple):
    """What became of ranks that have ended.

    Attributes:
        status: the exit status of `mpiexec`.
        out: what they printed, line by line, sorted: which rank is first is chance.
        told: the lines on standard error that are of gpucnn, see `told_in`.
        seconds: how long they took.
    """

    status: int
    out: list[str]
    told: list[str]
    seconds: float


def environment() -> dict[str, str]:
    """The variables that ranks inherit."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OF_TESTS)}


def run_ranks(
    count: int, *command: str, env: Mapping[str, str] = NOTHING, folder: Path | None = None
) -> Outcome:
    """Run a command as some ranks to its end.

    Args:
        count: of ranks.
        command: its words.
        env: further variables of its environment.
        folder: in which it runs; None for that of the tests.
    """
    return run_command([str(MPIEXEC), "-n", str(count), *command], env, folder)


def run_command(
    command: Sequence[str], env: Mapping[str, str] = NOTHING, folder: Path | None = None
) -> Outcome:
    """Run a command that begins with a launcher to its end, see `run_ranks`."""
    began = monotonic()
    ended = subprocess.run(
        command,
        env=environment() | dict(env),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    out, told = sorted(ended.stdout.splitlines()), told_in(ended.stderr)
    return Outcome(ended.returncode, out, told, monotonic() - began)


def told_in(stderr: str) -> list[str]:
    """The lines of gpucnn, but for the warning of machines with fewer cores than ranks."""
    lines = [line for line in stderr.splitlines() if line.startswith("gpucnn: ")]
    return [line for line in lines if not re.match(r"gpucnn: warning: \d ranks share", line)]


def run_script(count: int, name: str, *arguments: str, env: Mapping[str, str] = NOTHING) -> Outcome:
    """Run a script of `SCRIPTS` as some ranks to its end, see `run_ranks`."""
    return run_ranks(count, sys.executable, str(SCRIPTS / name), *arguments, env=env)
