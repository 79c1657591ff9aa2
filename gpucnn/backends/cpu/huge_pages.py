"""Memory in huge pages, for what a process works with."""

import mmap
from contextlib import suppress

import numpy as np

from gpucnn.backends.memory import CACHE_LINE, Array
from gpucnn.utils.arithmetic import ceil_div

PAGE = 2**21
"""Bytes of a huge page, on most processors."""


class HugePages:
    """Gives out memory, of zeros at first, in huge pages where the system has them.

    A core's own cache finds room for memory by its physical address. The usual pages of 4 KiB lie
    anywhere, so of a megabyte that is worked on again and again some parts push others out while
    room elsewhere is left: that costs a sixth of a training step, more or less in each process. In
    a huge page what lies side by side has its place side by side.

    Pieces smaller than a page share pages, of which the first is taken as soon as there is one.
    """

    def __init__(self) -> None:
        self._free: Array = np.empty(0, np.uint8)

    def allocate(self, size: int) -> Array:
        """So many bytes, uint8.

        Raises:
            MemoryError: there is not so much.
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
    with suppress(OSError):  # of a system without them: slower, and as right
        mapping.madvise(mmap.MADV_HUGEPAGE, first, size)
    return np.frombuffer(mapping, np.uint8, size, first)
