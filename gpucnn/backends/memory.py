"""Where arrays live: a device's memory, and memory that is kept from batch to batch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]  # of NumPy, or of a module with its interface, such as CuPy
Shape = tuple[int, ...]
Order = Literal["C", "F"]

Same = TypeVar("Same", bound="Memory")

CACHE_LINE = 64
"""Bytes."""


@dataclass(frozen=True)
class Buffer:
    """Memory that is needed for each image of a batch.

    `dtype` is None for the floating-point dtype of the model. `order` is that of
    `Backend.batch_view`.
    """

    shape: Shape
    dtype: str | None = None
    order: Order = "C"

    def size(self, real: "np.dtype[np.floating]") -> int:
        """The bytes for one image, in a model of dtype `real`."""
        return prod(self.shape) * np.dtype(self.dtype or real).itemsize


class Memory:
    """A device, and the arrays on it; here, those of NumPy or of a module with its interface.

    Attributes:
        device: its name.
        xp: the module whose arrays live on it.
    """

    device = "reference"

    def __init__(self, xp: Any = np) -> None:
        self.xp = xp

    @property
    def description(self) -> str:
        """What the device is, in a few words."""
        return "the definitions"

    @contextmanager
    def session(self) -> Iterator[None]:
        """A span in which operations run: an epoch, an evaluation.

        It is entered once for many operations, and may set what they all need.
        """
        # A network that diverges overflows in every operation. Its loss tells it, once.
        with np.errstate(over="ignore", invalid="ignore"):
            yield

    def twin(self: Same) -> Same:
        """The same device with scratch memory of its own, to be used beside this."""
        return copy(self)

    # How a batch is split

    @property
    def threads(self) -> int:
        """The number of shards that a batch is split into, which can be worked on at once."""
        return 1

    def images_at_once(self, size: int) -> int | None:
        """The most images of a microbatch, if each takes `size` bytes; None for a whole shard."""
        return None

    # Arrays

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new array whose elements are not set."""
        return self.xp.empty(shape, dtype)  # type: ignore[no-any-return]

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new array of zeros."""
        return self.xp.zeros(shape, dtype)  # type: ignore[no-any-return]

    def asarray(self, array: Array, dtype: DTypeLike | None = None) -> Array:
        """The host array `array` as a C-contiguous array on the device, copied only if needed."""
        return self.xp.asarray(array, dtype, order="C")  # type: ignore[no-any-return]

    def to_host(self, array: Array) -> Array:
        """A copy of `array` as a NumPy array of its own."""
        return np.array(array)

    def copy(self, source: Array, out: Array) -> None:
        """Copy `source`, of any dtype, on the host or the device, to `out`, on the device."""
        out[...] = self.xp.asarray(source, out.dtype)

    def empty_local(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new array, whose elements are not set, that is worked on again and again."""
        return self.empty(shape, dtype)

    def batch_view(self, memory: Array, count: int, shape: Shape, order: Order = "C") -> Array:
        """Something of each image of a batch, (count, *shape), at the beginning of `memory`.

        Args:
            memory: flat.
            count: the number of images.
            shape: of one image's part.
            order: in which an image's elements should lie: "C", the last axis varying fastest, or
                "F", the first. Here it is no matter: kernels index arrays in row-major order.
        """
        return memory[: count * prod(shape)].reshape(count, *shape)

    def to_layout(self, x: Array, out: Array) -> Array:
        """A C-contiguous batch as operations read it best: `x` itself, or a copy of it in `out`.

        Args:
            x: real (n, ...).
            out: of its shape, as `batch_view` gives it.
        """
        return x

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Scratch memory for the duration of one operation; one operation's names are its own."""
        return self.empty(shape, dtype)

    def counting(self, count: int) -> Array:
        """The numbers 0 to `count` - 1, int64; not to be written to."""
        return self.xp.arange(count, dtype=np.int64)  # type: ignore[no-any-return]


class BatchMemory:
    """A buffer on a backend, for batches of any size up to the largest that was reserved.

    Args:
        backend: where it lies.
        buffer: what each image needs.
        real: the floating-point dtype of the model.
    """

    def __init__(self, backend: Memory, buffer: Buffer, real: "np.dtype[np.floating]") -> None:
        self._backend, self._buffer = backend, buffer
        self._dtype = np.dtype(buffer.dtype or real)
        self._batch = 0
        self._memory = backend.empty_local((0,), self._dtype)
        self._views: dict[int, Array] = {}

    def reserve(self, batch: int) -> bool:
        """Have memory for batches of up to `batch` images; whether it is other than before."""
        grows = batch > self._batch
        if grows:
            self._views.clear()
            del self._memory  # freed before the larger one is allocated
            size = batch * prod(self._buffer.shape)
            self._memory, self._batch = self._backend.empty_local((size,), self._dtype), batch
        return grows

    def __getitem__(self, batch: int) -> Array:
        """The memory for `batch` images, (batch, *shape), always the same array for as many."""
        view = self._views.get(batch)
        if view is None:
            self.reserve(batch)
            shape, order = self._buffer.shape, self._buffer.order
            view = self._views[batch] = self._backend.batch_view(self._memory, batch, shape, order)
        return view


class Workspaces:
    """Memory by name, each piece grown to the largest size that was asked for.

    Args:
        allocate: gives so many bytes, a uint8 array.
    """

    def __init__(self, allocate: Callable[[int], Array]) -> None:
        self._allocate = allocate
        self._memory: dict[str, Array] = {}
        self._views: dict[tuple[str, tuple[int, ...], DTypeLike], Array] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """The memory of that name, as an array of `shape` and `dtype`."""
        key = (name, shape, dtype)  # of a view, which takes longer to make than a small operation
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
        return memory[:size].view(dtype).reshape(shape)
