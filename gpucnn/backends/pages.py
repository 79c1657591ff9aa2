"""Memory in huge pages, for what a process works with."""

import mmap
from contextlib import suppress

import numpy as np

from gpucnn.backends.base import Array

PAGE = 2**21
"""Bytes of a huge page, on most processors."""

LINE = 64
"""Bytes of a line of the caches: no two pieces of memory share one."""

WIPE_ON_FORK = 18
"""Linux's MADV_WIPEONFORK, for which `mmap` has no name."""


class HugePages:
    """Gives out memory, of zeros at first, in huge pages where the system has them.

    A core's own cache finds room for memory by its physical address. The usual pages of 4 KiB lie
    anywhere, so of a megabyte that is worked on again and again some parts push others out while
    room elsewhere is left: that costs a sixth of a training step, more or less in each process. In
    a huge page what lies side by side has its place side by side.

    A process forked from this one finds zeros in it, in pages of its own: pages that are shared
    until one of both writes would be split up, and copied.
    """

    def __init__(self) -> None:
        self._free: Array = np.empty(0, np.uint8)

    def allocate(self, size: int) -> Array:
        """So many bytes, uint8."""
        end = -(-size // LINE) * LINE
        memory = self._free
        if end > memory.nbytes:
            memory = _pages(-(-end // PAGE))
        if memory is self._free or memory.nbytes - end > self._free.nbytes:
            self._free = memory[end:]
        return memory[:size]


def _pages(count: int) -> Array:
    size = count * PAGE
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(size, np.uint8)
    mapping = mmap.mmap(-1, size + PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    first = -np.frombuffer(mapping, np.uint8).ctypes.data % PAGE
    for advice in (mmap.MADV_HUGEPAGE, WIPE_ON_FORK):
        with suppress(OSError):  # of a system without it: slower, and as right
            mapping.madvise(advice, first, size)
    return np.frombuffer(mapping, np.uint8, size, first)
