"""What is measured of whole processes: how long an import takes, and the most memory."""

import json
import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory

from gpucnn.benchmark.timing import host_seconds
from gpucnn.errors import DeviceError

REPEATS = 3  # of which the median counts


def import_seconds(*modules: str) -> float:
    """The seconds that importing some modules adds to the start of a Python.

    Raises:
        DeviceError: they cannot be imported.
    """
    bare, full = _run_seconds("pass"), _run_seconds(f"import {', '.join(modules)}")
    return max(full - bare, 0.0)


def peak_memory(subject: str, model: str, dtype: str, batch_size: int, threads: int) -> int:
    """The bytes of the largest resident set of a process that trains, see `memory`.

    Raises:
        DeviceError: the process failed.
    """
    arguments = {
        "subject": subject,
        "model": model,
        "dtype": dtype,
        "batch_size": batch_size,
        "threads": threads,
    }
    return int(_python("-m", "gpucnn.benchmark.memory", json.dumps(arguments)))


def _run_seconds(code: str) -> float:
    return median(host_seconds(lambda: _python("-c", code)) for _ in range(REPEATS))


def _python(*arguments: str) -> str:
    """What a new Python prints, that imports what this one does, whatever lies in its folder.

    Raises:
        DeviceError: it failed.
    """
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        reason = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise DeviceError(f"a process that was to be measured failed: {reason[-1]}")
    return done.stdout
