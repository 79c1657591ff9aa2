"""What this machine computes with, as far as it decides the last digits of results."""

import platform
from pathlib import Path

from threadpoolctl import threadpool_info

CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """The processor's name, as Linux tells it, or else Python."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()


def blas() -> str:
    """NumPy's BLAS, not another library's: its version, and the processors that it is tuned to."""
    found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    found.sort(key=lambda each: "numpy" not in each["filepath"])
    for each in found:
        parts = (each["internal_api"], each["version"], each.get("architecture"))
        return " ".join(part for part in parts if part)
    return "unknown"
