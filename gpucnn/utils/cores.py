"""The cores that this process may use."""

import multiprocessing
import os


def available_cores() -> int:
    """The number of cores, by this process's affinity and the quota of its cgroup."""
    try:
        from loky import cpu_count
    except ImportError:  # a Python without semaphores, thus without workers
        return os.cpu_count() or 1
    return int(cpu_count())


def at_most_openmp(cores: int) -> int:
    """`cores`, or `OMP_NUM_THREADS` if that is set and less."""
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) > 0 else cores


def is_one_of_several() -> bool:
    """Whether this is a process of a pool or of a test runner, whose others use the other cores."""
    return multiprocessing.parent_process() is not None or "PYTEST_XDIST_WORKER" in os.environ
