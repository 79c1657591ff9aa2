"""Memory in huge pages, for the arrays that a process works on."""

import mmap
from contextlib import suppress

import numpy as np

from gpucnn.backends.memory import CACHE_LINE, Array
from gpucnn.utils.arithmetic import ceil_div

PAGE = 2**21
"""Bytes of a huge page, on most processors."""


class HugePages:
    """Allocates zeroed memory, in huge pages where the system has them.

    A core's own cache is indexed by physical addresses. The usual pages of 4 KiB may lie anywhere
    in physical memory, so parts of a megabyte in constant use evict each other while other sets of
    the cache stay empty: that costs about a sixth of a training step, more or less from process to
    process. Within a huge page, contiguous memory maps to consecutive sets.

    Allocations smaller than a huge page share one, until it is full.
    """

    def __init__(self) -> None:
        self._free: Array = np.empty(0, np.uint8)

    def allocate(self, size: int) -> Array:
        """Allocate `size` bytes, uint8.

        Raises:
            MemoryError: the system has less memory than that.
        """
        if size >= PAGE:
            return _pages(size)
        end = ceil_div(size, CACHE_LINE) * CACHE_LINE
        if end > self._free.nbytes:
            self._free = _pages(PAGE)
        memory, self._free = self._free[:size], self._free[end:]
        return memory


def _pages(size: int) -> Array:
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(size, np.uint8)
    try:
        mapping = mmap.mmap(-1, size + PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes of memory are not to be had") from error
    first = -np.frombuffer(mapping, np.uint8).ctypes.data % PAGE
    with suppress(OSError):  # not supported: slower, but correct
        mapping.madvise(mmap.MADV_HUGEPAGE, first, size)
    return np.frombuffer(mapping, np.uint8, size, first)
