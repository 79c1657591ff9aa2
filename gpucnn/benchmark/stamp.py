"""On what a benchmark ran: the machine, and the versions of what took part."""

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import numpy as np

from gpucnn.backends import get_backend
from gpucnn.backends.workers.pool import usable_cores
from gpucnn.benchmark.networks import describe_model
from gpucnn.benchmark.plan import PACKAGES, Plan
from gpucnn.benchmark.report import Stamp
from gpucnn.utils.machine import blas, processor
from gpucnn.version import __version__


def make_stamp(plan: Plan, threads: int) -> Stamp:
    """What is measured, on what, with which versions, now.

    Args:
        plan: what is measured.
        threads: of each subject that runs on the CPU.
    """
    backends = [get_backend(device, plan.threads) for device in plan.devices]
    return Stamp(
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
    return ", ".join([processor(), f"{usable_cores()} cores", *_memory()])


def _memory() -> list[str]:
    """The size of the memory, where the system can say."""
    if not hasattr(os, "sysconf"):
        return []
    return [f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"]


def _versions(plan: Plan) -> dict[str, str]:
    packages = [package for peer in plan.peers for package in PACKAGES[peer]]
    return {
        "Python": platform.python_version(),
        "gpucnn": __version__,
        "NumPy": np.__version__,
        "BLAS": blas(),
    } | {package: version(package) for package in packages}


def _cuda_versions(modules: list[Any]) -> dict[str, str]:
    """The versions of CuPy, and of CUDA in the driver and in the runtime, if a GPU is measured."""
    for cupy in modules:
        if cupy is not np:
            runtime = cupy.cuda.runtime
            return {
                "CuPy": str(cupy.__version__),
                "CUDA driver": str(runtime.driverGetVersion()),
                "CUDA runtime": str(runtime.runtimeGetVersion()),
            }
    return {}
