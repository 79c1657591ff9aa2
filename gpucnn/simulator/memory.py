"""The memory of the simulated device, which is handed out again as CuPy's pool does.

What is freed is filled with NaN, and so is what was never used. So a kernel that reads memory that
was freed, or not yet written, shows in its results, and one that writes to it in those of others.
"""

import weakref
from collections import defaultdict
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

POISON = 0xFF
"""The byte of which unused memory consists: NaN as a real, -1 as a signed integer."""

Bytes = npt.NDArray[np.uint8]


class DeviceMemory:
    """Allocates arrays, in memory that earlier ones of the same size have left if there is any.

    An array begins where memory of its own begins, so that a sanitizer sees what lies beyond it.
    """

    def __init__(self) -> None:
        self._free: defaultdict[int, list[Bytes]] = defaultdict(list)  # by size
        self._used: dict[int, weakref.ref[Block]] = {}  # by identity

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Allocate an array, whose memory is free again when no view of it is left."""
        dtype = np.dtype(dtype)
        size = prod(shape) * dtype.itemsize
        try:
            contents = self._free[size].pop()
        except IndexError:
            contents = np.full(size, POISON, np.uint8)
        block = Block(self, contents)
        self._used[id(block)] = weakref.ref(block)
        return np.asarray(block).view(dtype).reshape(shape)

    def blocks(self) -> "list[Block]":
        """All memory that is in use."""
        blocks = (each() for each in list(self._used.values()))
        return [each for each in blocks if each is not None]

    def free(self, block: "Block") -> None:
        """Take back memory that no array refers to any more."""
        del self._used[id(block)]
        block.contents.fill(POISON)
        self._free[block.contents.size].append(block.contents)


class Block:
    """Memory in use, to which all arrays on it refer."""

    def __init__(self, memory: DeviceMemory, contents: Bytes) -> None:
        self.contents = contents
        self.__array_interface__ = contents.__array_interface__
        self._memory = memory

    def __del__(self) -> None:
        self._memory.free(self)


def block_of(array: npt.NDArray[Any]) -> Block | None:
    """The memory that an array is a view of; None if it is not the device's."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, Block) else None
