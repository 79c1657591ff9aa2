"""The environment of a benchmark: the machine, and the versions of all that is timed."""

import os
import platform
from datetime import datetime, timezone
from typing import Any

import numpy as np

from gpucnn.backends import get_backend
from gpucnn.backends.workers.pool import usable_cores
from gpucnn.benchmark.peers import peer_class
from gpucnn.benchmark.plan import Plan
from gpucnn.benchmark.report import Environment
from gpucnn.benchmark.workload import describe_model
from gpucnn.utils.machine import blas, processor
from gpucnn.version import __version__


def describe_environment(plan: Plan, threads: int) -> Environment:
    """Describe the machine, the devices, the versions and what is timed, at this moment.

    Args:
        plan: what is timed.
        threads: of each contender that runs on the CPU.
    """
    backends = [get_backend(device, plan.threads) for device in plan.devices]
    return Environment(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        machine=_machine(),
        threads=threads,
        versions=_versions(plan) | _cuda_versions([backend.xp for backend in backends]),
        devices={backend.device: backend.description for backend in backends},
        model=describe_model(plan.model),
        dtype=plan.dtype,
        rounds=plan.rounds,
    )


def _machine() -> str:
    """The processor, the cores that can be used, and the memory."""
    return ", ".join([processor(), f"{usable_cores()} cores", *_memory()])


def _memory() -> list[str]:
    """The size of the memory, or nothing where the system does not report it."""
    if not hasattr(os, "sysconf"):
        return []
    return [f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"]


def _versions(plan: Plan) -> dict[str, str]:
    """The versions of Python, gpucnn, NumPy, its BLAS and the peers' packages."""
    versions = {
        "Python": platform.python_version(),
        "gpucnn": __version__,
        "NumPy": np.__version__,
        "BLAS": blas(),
    }
    for peer in plan.peers:
        versions |= peer_class(peer).versions()
    return versions


def _cuda_versions(modules: list[Any]) -> dict[str, str]:
    """The versions of CuPy and of CUDA's driver and runtime, if a GPU is timed.

    Args:
        modules: NumPy or CuPy, that of each backend.
    """
    for cupy in modules:
        if cupy is not np:
            runtime = cupy.cuda.runtime
            return {
                "CuPy": str(cupy.__version__),
                "CUDA driver": str(runtime.driverGetVersion()),
                "CUDA runtime": str(runtime.runtimeGetVersion()),
            }
    return {}
