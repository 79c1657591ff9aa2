"""The simulated device's memory as CuPy shows it: pointers, and a pool that counts what is used.

Uninitialised memory comes from the simulator's `DeviceMemory`, which fills it with NaN; results
of NumPy's functions stay where NumPy has put them.
"""

import ctypes
import weakref
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from gpucnn.simulator.cupy.errors import CUDADriverError, OutOfMemoryError
from gpucnn.simulator.memory import DeviceMemory

UNIT = 512
"""Bytes of which allocations are multiples."""

_memory = DeviceMemory()


class MemoryPool:
    """Counts the memory of all arrays of the device, as CuPy's pool does.

    Args:
        allocator: which memory would be asked of; there is one here.
    """

    def __init__(self, allocator: Any = None) -> None:
        self._used: dict[int, tuple[weakref.ref[Any], int]] = {}  # by identity
        self._bytes = self._most = self._limit = 0

    def track(self, owner: Any, size: int) -> None:
        """Count `size` bytes until `owner` is gone.

        Raises:
            OutOfMemoryError: they are beyond the limit.
        """
        key = id(owner)
        if key in self._used or not size:
            return
        size = -(-size // UNIT) * UNIT
        if self._limit and self._bytes + size > self._limit:
            raise OutOfMemoryError(
                f"Out of memory allocating {size:,} bytes (allocated so far: {self._bytes:,} "
                f"bytes, limit set to: {self._limit:,} bytes)."
            )
        self._used[key] = weakref.ref(owner, lambda _: self._free(key)), size
        self._bytes += size
        self._most = max(self._most, self._bytes)

    def _free(self, key: int) -> None:
        self._bytes -= self._used.pop(key)[1]

    def owners(self) -> list[Any]:
        """The arrays that own memory in use."""
        owners = [reference() for reference, _ in list(self._used.values())]
        return [each for each in owners if each is not None]

    def malloc(self, size: int) -> "MemoryPointer":
        """Allocate bytes."""
        return alloc(size)

    def used_bytes(self) -> int:
        """Bytes in use."""
        return self._bytes

    def free_bytes(self) -> int:
        """Bytes that were used and are kept for others."""
        return self._most - self._bytes

    def total_bytes(self) -> int:
        """Bytes of both kinds."""
        return self._most

    def n_free_blocks(self) -> int:
        """Pieces of memory that are kept: as one."""
        return int(self._most > self._bytes)

    def free_all_blocks(self, stream: Any = None) -> None:
        """Keep no memory that is not in use."""
        self._most = self._bytes

    free_all_free = free_all_blocks

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Set the most that may be in use, in bytes or as a fraction of `DEVICE_BYTES`."""
        self._limit = int(DEVICE_BYTES * fraction) if fraction is not None else size or 0

    def get_limit(self) -> int:
        """The most that may be in use, in bytes; 0 without a limit."""
        return self._limit


DEVICE_BYTES = 16 << 30
"""What the device says it has."""

pool = MemoryPool()


class PinnedMemoryPool:
    """The pool of the host's memory, which is counted nowhere."""

    def n_free_blocks(self) -> int:
        """Pieces of memory that are kept: none."""
        return 0

    def free_all_blocks(self) -> None:
        """Nothing."""


class Memory:
    """A piece of the device's memory.

    Attributes:
        contents: its bytes, as NumPy's array.
    """

    device_id = 0

    def __init__(self, contents: Any) -> None:
        self.contents = contents

    ptr = property(lambda self: self.contents.ctypes.data, doc="Its address.")
    size = property(lambda self: self.contents.size, doc="Its bytes.")


class UnownedMemory(Memory):
    """Memory that another object owns.

    Args:
        ptr: its address.
        size: its bytes.
        owner: the object, which is kept alive.
        device_id: the device's number.
    """

    def __init__(self, ptr: int, size: int, owner: object, device_id: int = 0) -> None:
        super().__init__(
            np.frombuffer(cast(Any, (ctypes.c_char * size).from_address(ptr)), np.uint8)
        )
        self.owner = owner


class MemoryPointer:
    """A place in a piece of memory."""

    def __init__(self, mem: Memory, offset: int) -> None:
        self.mem, self.offset = mem, offset

    device_id = 0
    ptr = property(lambda self: self.mem.ptr + self.offset, doc="The address.")
    contents = property(lambda self: self.mem.contents[self.offset :], doc="What lies from there.")

    def __add__(self, offset: int) -> "MemoryPointer":
        return MemoryPointer(self.mem, self.offset + offset)

    def __radd__(self, offset: int) -> "MemoryPointer":
        return self + offset

    def __sub__(self, offset: int) -> "MemoryPointer":
        return self + -offset

    def __int__(self) -> int:
        return int(self.ptr)

    def memset(self, value: int, size: int) -> None:
        """Set bytes."""
        self.contents[:size] = value

    memset_async: Callable[..., None] = memset

    def copy_from_device(self, source: "MemoryPointer", size: int) -> None:
        """Copy bytes within the device."""
        self.contents[:size] = source.contents[:size]

    def copy_from_host(self, memory: Any, size: int) -> None:
        """Copy bytes from an address of the host (or what has one)."""
        ctypes.memmove(self.ptr, _address(memory), size)

    def copy_to_host(self, memory: Any, size: int) -> None:
        """Copy bytes to an address of the host (or what has one)."""
        ctypes.memmove(_address(memory), self.ptr, size)

    def copy_from(self, memory: Any, size: int) -> None:
        """Copy bytes from the device or the host."""
        if isinstance(memory, MemoryPointer):
            self.copy_from_device(memory, size)
        else:
            self.copy_from_host(memory, size)

    def copy_from_device_async(
        self, source: "MemoryPointer", size: int, stream: Any = None
    ) -> None:
        """As `copy_from_device`."""
        self.copy_from_device(source, size)

    def copy_from_host_async(self, memory: Any, size: int, stream: Any = None) -> None:
        """As `copy_from_host`."""
        self.copy_from_host(memory, size)

    def copy_to_host_async(self, memory: Any, size: int, stream: Any = None) -> None:
        """As `copy_to_host`."""
        self.copy_to_host(memory, size)


def _address(memory: Any) -> int:
    return int(getattr(memory, "value", memory) or 0)


class PinnedMemory(bytearray):
    """Memory of the host as `cupy.cuda.alloc_pinned_memory` gives it."""

    @property
    def ptr(self) -> int:
        """Its address."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self))

    def size(self) -> int:
        """Its bytes."""
        return len(self)


def alloc(size: int) -> MemoryPointer:
    """Allocate bytes on the device."""
    memory = empty_on_device((size,), np.uint8)
    track(memory)
    return pointer_to(memory)


def empty_on_device(shape: tuple[int, ...], dtype: Any, order: str = "C") -> Any:
    """An array of the device's memory, as NumPy's, whose elements are not initialised.

    It is counted when it becomes one of the device.
    """
    return _memory.empty(shape[::-1], dtype).T if order == "F" else _memory.empty(shape, dtype)


def pointer_to(host: Any) -> MemoryPointer:
    """The place of an array in the memory that it is a view of."""
    root = _root(host)
    low, high = np.lib.array_utils.byte_bounds(root) if root.size else (root.ctypes.data,) * 2
    memory = UnownedMemory(low, high - low, root)
    return MemoryPointer(memory, host.ctypes.data - low)


def pointer_at(address: int) -> MemoryPointer:
    """The place of an address, in the memory of the array that it lies in.

    Raises:
        CUDADriverError: it lies in none.
    """
    for owner in pool.owners():
        low = int(owner.ctypes.data)
        if low <= address < low + owner.nbytes:
            return pointer_to(owner) + (address - low)
    raise CUDADriverError(
        f"the address {address:#x} lies in no array of the device: keep the array whose address it "
        "was until the launch"
    )


def track(host: Any) -> None:
    """Count the memory that an array is a view of, as long as there is an array of it."""
    root = _root(host)
    pool.track(root, root.nbytes)


def _root(host: Any) -> Any:
    """The array that owns the memory."""
    while isinstance(host.base, np.ndarray):
        host = host.base
    return host
