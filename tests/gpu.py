"""The GPU that tests can use, looked for once for all processes of pytest-xdist.

A process has a context of its own on a GPU, which takes memory. If each looked by itself whether
there is a GPU, some might find it full, and they would disagree about which tests there are. If the
contexts of all do not fit, one process runs all tests that use the GPU.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

VARIABLE = "GPUCNN_TESTS_CONTEXTS"  # which other processes inherit

PROBE = """
from gpucnn.backends.cuda.cupy_runtime import CupyRuntime
cuda = CupyRuntime().xp.cuda.runtime
is_exclusive = cuda.getDeviceProperties(0)["computeMode"] in (1, 3)
print(1 if is_exclusive else max(cuda.memGetInfo()[0] // 2**30, 1))
"""
"""Prints how many contexts fit on the GPU with a GiB each; fails if there is no usable GPU."""

USES_GPU = re.compile(r"[\[-]cuda[\]-]|/test_devices\.py")
"""Found in the names of tests that use the GPU: of the backend `cuda`, and of all devices."""


def look() -> None:
    """Look for a GPU, unless the process that started this one has; call it before collection."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = _probe()


def contexts() -> int:
    """How many processes can use the GPU at once; 0 if there is none."""
    return int(os.environ.get(VARIABLE, "0"))


def scheduler(config: pytest.Config, log: Any) -> Any:
    """The scheduler of pytest-xdist, unless `--dist` asks for another than the usual one.

    Each process begins with its part of the tests, in their order, so that few modules have their
    fixtures made twice; one that has done its own takes from the others', so that none waits at the
    end. If not all processes can use the GPU, one of them runs all tests that do.
    """
    from xdist.scheduler import LoadScopeScheduling, WorkStealingScheduling

    if not 0 < contexts() < len(config.option.tx):
        return WorkStealingScheduling(config, log) if config.option.dist == "load" else None

    class GpuInOneProcess(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return "gpu" if USES_GPU.search(nodeid) else nodeid

    return GpuInOneProcess(config, log)


def _probe() -> str:
    if find_spec("cupy") is None:
        return "0"
    found = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else "0"
