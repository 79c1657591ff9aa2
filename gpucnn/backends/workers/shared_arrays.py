"""Arrays in memory that this process shares with its workers."""

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
from gpucnn.utils.arithmetic import ceil_div

ALIGNMENT = 4096
"""Bytes of a page, at the beginning of which each array lies."""

MAPPED: dict[str, int] = {}
if hasattr(mmap, "MAP_POPULATE"):
    # Map all pages at once: a fault for each takes a tenth of the first epoch's time.
    MAPPED = {"flags": mmap.MAP_SHARED | mmap.MAP_POPULATE}


class _Place(NamedTuple):
    shape: Shape
    dtype: str
    start: int


class SharedArrays(dict[str, NDArray[Any]]):
    """Arrays by name in one block of shared memory, initially zero.

    Pickled, they are the path of the memory and the place of each array. On Linux the memory has no
    name in any folder: it is freed with the last process that maps it, however that ends, and is
    not limited by the size of /dev/shm. Elsewhere it is a temporary file.

    Args:
        kinds: the shape and dtype of each array.

    Raises:
        OSError: the memory is not available.
    """

    def __init__(self, kinds: Mapping[str, tuple[Shape, Any]]) -> None:
        super().__init__()
        file = self._lay_out(kinds)
        self._map(file)

    @classmethod
    def copies(cls, arrays: Mapping[str, NDArray[Any]]) -> "SharedArrays":
        """Copy arrays for other processes only; in this process they are not mapped.

        Writing to a file takes half the time of copying to its mapped pages.

        Args:
            arrays: the arrays by name, of any shapes and dtypes.

        Raises:
            OSError: the memory is not available.
        """
        shared = cls.__new__(cls)
        file = shared._lay_out({name: (each.shape, each.dtype) for name, each in arrays.items()})
        for name, array in arrays.items():
            _write(file, array, shared._places[name].start)
        return shared

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (self._path, self._places)

    def _lay_out(self, kinds: Mapping[str, tuple[Shape, Any]]) -> int:
        """Lay the arrays out in a new file, and return its descriptor."""
        self._places: dict[str, _Place] = {}
        size = 0
        for name, (shape, kind) in kinds.items():
            dtype: np.dtype[Any] = np.dtype(kind)
            self._places[name] = _Place(shape, dtype.str, size)
            size += ceil_div(prod(shape) * dtype.itemsize, ALIGNMENT) * ALIGNMENT
        self._path, file = _new_file()
        weakref.finalize(self, _close, self._path, file, os.getpid())
        os.truncate(file, max(size, ALIGNMENT))
        return file

    def _map(self, file: int) -> None:
        memory = mmap.mmap(file, os.fstat(file).st_size, **MAPPED)
        for name, (shape, dtype, start) in self._places.items():
            self[name] = np.frombuffer(memory, dtype, prod(shape), start).reshape(shape)


def _attach(path: str, places: dict[str, _Place]) -> SharedArrays:
    """Map the arrays that another process has made."""
    arrays = SharedArrays.__new__(SharedArrays)
    arrays._places = places
    file = os.open(path, os.O_RDWR)
    try:
        arrays._map(file)
    finally:
        os.close(file)
    return arrays


def _write(file: int, array: NDArray[Any], start: int) -> None:
    """Write an array in C order from byte `start` on, without a copy if it is C-contiguous."""
    left = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    while left.size:
        written = os.pwrite(file, left.data, start)
        left, start = left[written:], start + written


def _new_file() -> tuple[str, int]:
    """Make a file; return the path by which other processes can open it, and its descriptor."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("gpucnn")
        return f"/proc/{os.getpid()}/fd/{file}", file
    file, path = tempfile.mkstemp(prefix="gpucnn-")
    return path, file


def _close(path: str, file: int, owner: int) -> None:
    os.close(file)
    if os.getpid() == owner and not path.startswith("/proc/"):
        with suppress(OSError):  # on Windows a mapped file cannot be removed
            Path(path).unlink()
