"""Counting what launches do with memory: the loads and stores of each array, by their width."""

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpucnn.simulator.parameters import Memory

WIDTHS = (1, 2, 4, 8, 16)
_READ, _WRITTEN = 1, 2  # bits, as in counting.hpp


@dataclass(frozen=True)
class Accesses:
    """The accesses of all threads of a launch to a piece of memory.

    Attributes:
        loads: how many there were of each width in bytes.
        stores: likewise.
    """

    loads: Mapping[int, int]
    stores: Mapping[int, int]

    @property
    def loaded(self) -> int:
        """The bytes of all loads."""
        return _bytes(self.loads)

    @property
    def stored(self) -> int:
        """The bytes of all stores."""
        return _bytes(self.stores)


@dataclass(frozen=True)
class ArrayAccesses(Accesses):
    """The accesses of a launch to an array.

    Attributes:
        read: bytes that were loaded before anything was stored there: however large the caches of a
            device are, it has to read these from memory.
        written: bytes in which something was stored.
    """

    read: int
    written: int


@dataclass(frozen=True)
class Traffic:
    """What a launch did with memory.

    Attributes:
        kernel: its name.
        arrays: the accesses to each argument that is an array, by its place among the arguments.
            What lies in several of them counts for the first.
        shared: the accesses to shared memory.
    """

    kernel: str
    arrays: Mapping[int, ArrayAccesses]
    shared: Accesses


_launches: ContextVar[list[Traffic] | None] = ContextVar("launches", default=None)


@contextmanager
def counting() -> Iterator[list[Traffic]]:
    """Count the accesses of the launches that this thread makes in this context.

    An access that the compiler saves, because the value is in a register, does not count. Unchecked
    kernels are compiled once more for it, and their `__device__` variables have values of their own
    there.

    Returns:
        The launches, in their order.
    """
    launches: list[Traffic] = []
    token = _launches.set(launches)
    try:
        yield launches
    finally:
        _launches.reset(token)


def counted_launches() -> list[Traffic] | None:
    """Where this thread's launches are counted; None if they are not."""
    return _launches.get()


class _Accesses(ctypes.Structure):
    """As in counting.hpp, and so are the two classes below."""

    _fields_ = (
        ("loads", ctypes.c_ulonglong * len(WIDTHS)),
        ("stores", ctypes.c_ulonglong * len(WIDTHS)),
    )

    @property
    def by_width(self) -> tuple[dict[int, int], dict[int, int]]:
        """The loads and the stores of each width, without those of which there are none."""
        loads, stores = (
            {width: number for width, number in zip(WIDTHS, numbers, strict=True) if number}
            for numbers in (self.loads, self.stores)
        )
        return loads, stores


class _CountedArray(ctypes.Structure):
    _fields_ = (
        ("begin", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("touched", ctypes.c_void_p),
        ("accesses", _Accesses),
    )


class Counting(ctypes.Structure):
    """What the scheduler counts of a launch."""

    _fields_ = (
        ("arrays", ctypes.POINTER(_CountedArray)),
        ("array_count", ctypes.c_size_t),
        ("shared", _Accesses),
    )


class Counter:
    """Counts the accesses of a launch.

    Args:
        kernel: its name.
        arrays: where each argument that is an array lies, by its place.

    Attributes:
        counting: where the scheduler counts.
    """

    def __init__(self, kernel: str, arrays: Mapping[int, Memory]) -> None:
        self._kernel, self._places = kernel, tuple(arrays)
        self._touched = [np.zeros(memory.size, np.uint8) for memory in arrays.values()]
        pairs = zip(arrays.values(), self._touched, strict=True)
        counted = [
            _CountedArray(memory.address, memory.size, touched.ctypes.data)
            for memory, touched in pairs
        ]
        self._arrays = (_CountedArray * len(counted))(*counted)
        self.counting = Counting(self._arrays, len(counted))

    def traffic(self) -> Traffic:
        """What was counted."""
        each = zip(self._places, self._arrays, self._touched, strict=True)
        arrays = {place: _array_accesses(array.accesses, touched) for place, array, touched in each}
        return Traffic(self._kernel, arrays, Accesses(*self.counting.shared.by_width))


def _array_accesses(counted: _Accesses, touched: npt.NDArray[np.uint8]) -> ArrayAccesses:
    loads, stores = counted.by_width
    return ArrayAccesses(loads, stores, _count(touched, _READ), _count(touched, _WRITTEN))


def _bytes(accesses: Mapping[int, int]) -> int:
    return sum(width * number for width, number in accesses.items())


def _count(touched: npt.NDArray[np.uint8], bit: int) -> int:
    return int(np.count_nonzero(touched & np.uint8(bit)))
