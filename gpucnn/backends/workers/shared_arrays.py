"""Arrays in memory that this process shares with its workers, and with no other process."""

import mmap
import os
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends.memory import Shape

ALIGNMENT = 4096
"""Bytes: each array begins at a page."""


MAPPED: dict[str, int] = {}
if hasattr(mmap, "MAP_POPULATE"):
    # All pages at once: a fault for each takes a tenth of the first epoch's time.
    MAPPED = {"flags": mmap.MAP_SHARED | mmap.MAP_POPULATE}


class _Place(NamedTuple):
    shape: Shape
    dtype: str
    start: int


class SharedArrays(dict[str, NDArray[Any]]):
    """Arrays by name in one piece of shared memory, which is of zeros at first.

    Pickled, it is the path of that memory and where each array lies. On Linux the memory has no
    name in any folder: it ends with the last process that has mapped it, whatever ends that, and
    the room in /dev/shm is no limit. Elsewhere it is a temporary file.

    Args:
        kinds: the shape and dtype of each array.

    Raises:
        OSError: the memory is not to be had.
    """

    def __init__(self, kinds: Mapping[str, tuple[Shape, Any]]) -> None:
        super().__init__()
        file = self._lay_out(kinds)
        self._map(file)

    @classmethod
    def copies(cls, arrays: Mapping[str, NDArray[Any]]) -> "SharedArrays":
        """Copies of arrays, for other processes alone: in this one, they are not mapped.

        To write to a file that is not mapped takes half the time of a copy to one that is.

        Raises:
            OSError: the memory is not to be had.
        """
        shared = cls.__new__(cls)
        file = shared._lay_out({name: (each.shape, each.dtype) for name, each in arrays.items()})
        for name, array in arrays.items():
            _write(file, array, shared._places[name].start)
        return shared

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (self._path, self._places)

    def _lay_out(self, kinds: Mapping[str, tuple[Shape, Any]]) -> int:
        """Give each array its place in a new file; returns its descriptor."""
        self._places: dict[str, _Place] = {}
        size = 0
        for name, (shape, kind) in kinds.items():
            dtype: np.dtype[Any] = np.dtype(kind)
            self._places[name] = _Place(shape, dtype.str, size)
            size += -(-prod(shape) * dtype.itemsize // ALIGNMENT) * ALIGNMENT
        self._path, file = _new_file()
        weakref.finalize(self, _close, self._path, file, os.getpid())
        os.truncate(file, max(size, ALIGNMENT))
        return file

    def _map(self, file: int) -> None:
        memory = mmap.mmap(file, os.fstat(file).st_size, **MAPPED)
        for name, (shape, dtype, start) in self._places.items():
            self[name] = np.frombuffer(memory, dtype, prod(shape), start).reshape(shape)


def _attach(path: str, places: dict[str, _Place]) -> SharedArrays:
    """The arrays of the process that made them."""
    arrays = SharedArrays.__new__(SharedArrays)
    arrays._places = places
    file = os.open(path, os.O_RDWR)
    try:
        arrays._map(file)
    finally:
        os.close(file)
    return arrays


def _write(file: int, array: NDArray[Any], start: int) -> None:
    """Write an array, as it lies in memory if it is C-contiguous, from byte `start` on."""
    left = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    while left.size:
        written = os.pwrite(file, left.data, start)
        left, start = left[written:], start + written


def _new_file() -> tuple[str, int]:
    """The path by which other processes of this user open it, and the descriptor."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("gpucnn")
        return f"/proc/{os.getpid()}/fd/{file}", file
    file, path = tempfile.mkstemp(prefix="gpucnn-")
    return path, file


def _close(path: str, file: int, owner: int) -> None:
    os.close(file)
    if os.getpid() == owner and not path.startswith("/proc/"):
        with suppress(OSError):  # of Windows, where a file that is mapped stays
            Path(path).unlink()
