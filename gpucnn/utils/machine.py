"""The machine's processor and BLAS, which decide the last digits of results."""

import platform
from pathlib import Path

from threadpoolctl import threadpool_info

CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """The processor's name, from /proc/cpuinfo if there is one, else from Python."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()


def blas() -> str:
    """NumPy's BLAS: its name, its version, and the architecture that its kernels are tuned to."""
    found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    found.sort(key=lambda each: "numpy" not in each["filepath"])  # other packages bring a BLAS, too
    for each in found:
        parts = (each["internal_api"], each["version"], each.get("architecture"))
        return " ".join(part for part in parts if part)
    return "unknown"
