"""How much memory a call takes, as Python and NumPy count it, and as the system does.

`tracemalloc` counts what a growing array had and what it gets, both, though the system moves its
pages and copies none.
"""

import ctypes
import gc
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from loky import ProcessPoolExecutor

T = TypeVar("T")


def allocated(call: Callable[[], object]) -> int:
    """The most bytes that Python and NumPy hold at a time in `call`, beyond those before it."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def most_resident(call: Callable[[], T]) -> tuple[T, int]:
    """What `call` returns, and how many bytes more than before it a process had at most.

    It is a fresh one: what tests before it have left of a heap may be taken up again, or not.
    """
    with ProcessPoolExecutor(1) as pool:
        found: tuple[T, int] = pool.submit(_measured, call).result()
        return found


def _measured(call: Callable[[], T]) -> tuple[T, int]:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the most is what there is now
    before = _most()
    result = call()
    return result, _most() - before


def _most() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return 1024 * int(found[1])
