"""The memory that operations allocate while they run, as Python and NumPy count it."""

import tracemalloc
from collections.abc import Callable


def allocated(operation: Callable[[], None]) -> int:
    """The most bytes that the operation holds at a time, beyond what was held before it."""
    tracemalloc.start()
    try:
        operation()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
