"""The memory of a device, and buffers and workspaces that are kept from batch to batch."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gpucnn.backends.communicator import Communicator

Array = NDArray[Any]  # or an array of a module with NumPy's interface, such as CuPy
Shape = tuple[int, ...]
Order = Literal["C", "F", "channels"]
Workspace = Callable[[str, Shape, DTypeLike], Array]
"""Allocates scratch memory for one operation, by name, shape and dtype."""

Same = TypeVar("Same", bound="Memory")

NOTHING = nullcontext()

CACHE_LINE = 64
"""Bytes of a line of the caches."""


@dataclass(frozen=True)
class Buffer:
    """Memory that is needed for each image of a batch.

    Attributes:
        shape: the shape for one image.
        dtype: None for the floating-point dtype of the model.
        order: the memory order, see `Backend.batch_view`.
    """

    shape: Shape
    dtype: str | None = None
    order: Order = "C"

    def size(self, real: "np.dtype[np.floating]") -> int:
        """The bytes that one image takes, in a model of dtype `real`."""
        return prod(self.shape) * np.dtype(self.dtype or real).itemsize


class Recording(Protocol):
    """Operations recorded once, with their arguments."""

    def replay(self) -> None:
        """Run them all again, in their order."""


class Memory:
    """A device and the arrays on it, which NumPy or a module with its interface makes.

    Attributes:
        device: the name of the device.
        xp: the module whose arrays live on the device.
        is_host: whether that is where NumPy's arrays are, and no other device.
        allocations: how often memory that is kept, of buffers and workspaces, was allocated.
    """

    device = "reference"
    is_host = False
    allocations = 0

    def __init__(self, xp: Any = np) -> None:
        self.xp = xp

    @property
    def description(self) -> str:
        """The device in a few words."""
        return "the definitions"

    @contextmanager
    def session(self) -> Iterator[None]:
        """A context in which operations run, for an epoch or an evaluation.

        It is entered once for many operations, and applies the settings that all of them need.
        """
        with ignoring_overflow():
            yield

    def session_of(self, multiply_adds: float) -> AbstractContextManager[None]:
        """A session for calls whose largest product has so many multiply-adds.

        It is without the settings that such calls need not.
        """
        return self.session()

    def twin(self: Same) -> Same:
        """Make a backend of the same device with its own scratch memory, for concurrent use."""
        return copy(self)

    # How a batch is split

    @property
    def threads(self) -> int:
        """The number of shards that a batch is split into, to be worked on in parallel."""
        return 1

    def images_at_once(self, size: int) -> int | None:
        """The most images of a microbatch, for images of `size` bytes; None for a whole shard."""
        return None

    def across(self, host: Communicator) -> Communicator:
        """The communicator of this device's arrays, given that of the host's."""
        return host

    # Recording

    can_record = False
    """Whether the device can record operations, and replay them as one."""

    def records(self, communicator: Communicator) -> bool:
        """Whether it can record them with the sums over ranks between them."""
        return self.can_record and communicator.can_record

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function of a communicator, which a recording holds in its turn."""
        function(*arguments)

    def record(self, work: Callable[[], None]) -> Recording:
        """Record the operations of `work`, without running them, on a device that `can_record`.

        Args:
            work: calls operations on memory that is allocated already and is kept.
        """
        raise NotImplementedError(f"{self.device} cannot record operations")

    def branch(self) -> AbstractContextManager[None]:
        """A context whose operations may run beside those that come after it, until `join`.

        So none of these may write what they read or write, or read what they write. In a recording
        they are a branch of the graph; elsewhere they run in their turn. One branch follows the
        other.
        """
        return NOTHING

    def join(self) -> None:
        """Let all that comes after this wait for the operations of earlier branches."""

    # Arrays

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Allocate an array without setting its elements."""
        return self.xp.empty(shape, dtype)  # type: ignore[no-any-return]

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Allocate an array of zeros."""
        return self.xp.zeros(shape, dtype)  # type: ignore[no-any-return]

    def asarray(self, array: Array, dtype: DTypeLike | None = None) -> Array:
        """Bring the host array `array` to the device, C-contiguous, copying only if needed."""
        return self.xp.asarray(array, dtype, order="C")  # type: ignore[no-any-return]

    def as_operand(self, array: Array, dtype: DTypeLike) -> Array:
        """An array that array code computed as one that operations take, copied only if needed."""
        return self.xp.asarray(array, dtype)  # type: ignore[no-any-return]

    def to_host(self, array: Array) -> Array:
        """Copy `array` to a new NumPy array on the host."""
        return np.array(array)

    def copy(self, source: Array, out: Array) -> None:
        """Copy `source`, of any dtype and on the host or the device, to `out` on the device."""
        out[...] = self.xp.asarray(source, out.dtype)

    def empty_local(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Allocate an array for repeated use by this process, without setting its elements."""
        return self.empty(shape, dtype)

    def batch_view(self, memory: Array, count: int, shape: Shape, order: Order = "C") -> Array:
        """View the beginning of `memory` as `(count, *shape)`: an array for each image of a batch.

        Args:
            memory: a flat array.
            count: the number of images.
            shape: the shape for one image.
            order: the preferred order of an image's elements in memory: "C", the last axis varying
                fastest, "F", the first, or "channels", those of all images at a pixel together.
                Ignored here: kernels index arrays in row-major order.
        """
        return memory[: count * prod(shape)].reshape(count, *shape)

    def to_layout(self, x: Array, out: Array) -> Array:
        """Bring a batch to the memory layout that operations read fastest.

        Args:
            x: real (n, ...), C-contiguous.
            out: real, of the shape of `x`, a `batch_view`.

        Returns:
            `x` itself where its layout is right, else `out`, to which `x` has been copied.
        """
        return x

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Scratch memory for the duration of one operation, whose scratch arrays have names."""
        return self.empty(shape, dtype)

    def counting(self, count: int) -> Array:
        """The integers 0 to `count` - 1, int64; callers must not write to them."""
        return self.xp.arange(count, dtype=np.int64)  # type: ignore[no-any-return]


def ignoring_overflow() -> np.errstate:
    """A context in which NumPy does not warn of what is not finite.

    A network that diverges overflows in every operation; its loss reports that once.
    """
    return np.errstate(over="ignore", invalid="ignore")


class BatchMemory:
    """A buffer on a backend for batches of any size, grown to the largest that was asked for.

    Args:
        backend: the backend that allocates it.
        buffer: the memory of each image.
        real: the floating-point dtype of the model.
    """

    def __init__(self, backend: Memory, buffer: Buffer, real: "np.dtype[np.floating]") -> None:
        self._backend, self._buffer = backend, buffer
        self._dtype = np.dtype(buffer.dtype or real)
        self._batch = 0
        self._memory = backend.empty_local((0,), self._dtype)
        self._views: dict[int, Array] = {}

    def reserve(self, batch: int) -> bool:
        """Allocate memory for batches of up to `batch` images; return whether it had to grow."""
        grows = batch > self._batch
        if grows:
            self._views.clear()
            self._backend.allocations += 1
            del self._memory  # freed before the larger one is allocated
            size = batch * prod(self._buffer.shape)
            self._memory, self._batch = self._backend.empty_local((size,), self._dtype), batch
        return grows

    def __getitem__(self, batch: int) -> Array:
        """The memory for a batch, `(batch, *shape)`: the same array until the buffer grows."""
        view = self._views.get(batch)
        if view is None:
            self.reserve(batch)
            shape, order = self._buffer.shape, self._buffer.order
            view = self._views[batch] = self._backend.batch_view(self._memory, batch, shape, order)
        return view


def in_rows(memory: Array, shape: Shape) -> Array:
    """View flat memory as an array of a shape in row-major order."""
    return memory.reshape(shape)


class Workspaces:
    """Scratch arrays by name, each grown to the largest size that was asked for.

    Args:
        allocate: returns a uint8 array of a number of bytes.
        arrange: views flat memory as an array of a shape.
    """

    def __init__(
        self, allocate: Callable[[int], Array], arrange: Callable[[Array, Shape], Array] = in_rows
    ) -> None:
        self._allocate, self._arrange = allocate, arrange
        self._memory: dict[str, Array] = {}
        self._views: dict[tuple[str, tuple[int, ...], DTypeLike], Array] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """The scratch memory `name` as an array of `shape` and `dtype`."""
        key = (name, shape, dtype)  # views are kept: making one takes longer than a small operation
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = self._view(name, shape, np.dtype(dtype))
        return view

    def _view(self, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
        size = prod(shape) * dtype.itemsize
        memory = self._memory.get(name)
        if memory is None or memory.nbytes < size:
            self._views.clear()
            memory = self._memory[name] = self._allocate(size)
        return self._arrange(memory[:size].view(dtype), shape)
