"""On what a benchmark ran: the machine, and the versions of what took part."""

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from gpucnn.backends import get_backend
from gpucnn.backends.workers import usable_cores
from gpucnn.benchmark.networks import describe_model
from gpucnn.benchmark.plan import PACKAGES, Plan
from gpucnn.benchmark.report import Stamp
from gpucnn.version import __version__

CPUINFO = Path("/proc/cpuinfo")


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
    return ", ".join([_processor(), f"{usable_cores()} cores", *_memory()])


def _processor() -> str:
    """The processor's name, as Linux tells it, or else Python."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()


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
        "BLAS": _blas(),
    } | {package: version(package) for package in packages}


def _blas() -> str:
    """NumPy's BLAS, not a peer's: its version, and the kind of processor that it is tuned to."""
    found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    found.sort(key=lambda each: "numpy" not in each["filepath"])
    for each in found:
        parts = (each["internal_api"], each["version"], each.get("architecture"))
        return " ".join(part for part in parts if part)
    return "unknown"


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
