"""The CPU's memory: images innermost, in huge pages, kept from call to call."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.cpu.blas import one_blas_thread
from gpucnn.backends.cpu.huge_pages import HugePages
from gpucnn.backends.cpu.layout import images_first, images_last
from gpucnn.backends.memory import Array, Memory, Order, Shape, Workspaces
from gpucnn.backends.workers.pool import usable_cores
from gpucnn.errors import InvalidValueError
from gpucnn.utils import arguments

MICROBATCH = 6 * 2**20
"""Bytes that a microbatch may take: a core's share of the caches."""

IMAGES_AT_ONCE = (32, 128)
"""The least and the most images of a microbatch: fewer make runs of memory too short."""

BUFFERED = 2048
"""Elements that NumPy brings in order at a time, where an operation needs it."""

MOST_THREADS = 64
"""Threads that may be asked for on a machine with fewer cores."""


class CpuMemory(Memory):
    """The memory of the CPU, of which NumPy's operations are fast by where things lie.

    **Images innermost.** NumPy is fast on long contiguous runs and slow at starting each. In the
    order of a batch's axes the runs are a pixel's channels: 1 or 8 numbers. Here the axis of the
    images is moved to the end in memory, (h, w, c, n) behind the logical (n, h, w, c), and every
    run, of a patch or a pooled row, has at least n numbers; a flattened image is no copy either.

    **Kept memory.** A temporary array of a megabyte costs NumPy a page fault for every 4 KiB of it,
    each time, which takes longer than the arithmetic. So what the definitions write as expressions
    is written here as a sequence of calls with `out=`, into workspaces that are kept from call to
    call.

    **Threads.** BLAS is held to one thread. A batch is split into shards for threads of our own,
    each a process (see `gpucnn.backends.workers`), which works through its shard in microbatches
    that fit into the caches.

    Args:
        threads: how many, at least 1; as many as this process may use cores if None.

    Raises:
        InvalidValueError: `threads` is not such a number, or many times that of the cores.
    """

    device = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        super().__init__(np)
        count = usable_cores() if threads is None else threads
        self._threads = _check_threads(arguments.positive_integer(count, "threads"))
        self._pages = HugePages()
        self._workspaces = Workspaces(self._pages.allocate)
        self._counting = np.arange(0, dtype=np.int64)
        self._constants: dict[tuple[int, np.dtype[np.generic]], Array] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._threads,)

    @property
    def description(self) -> str:
        cores, threads = usable_cores(), self.threads
        split = f"{threads} thread{'s' * (threads > 1)} on " if threads != cores else ""
        return f"{platform.machine()}, {split}{cores} cores, NumPy {np.__version__}"

    @contextmanager
    def session(self) -> Iterator[None]:
        """See `Backend.session`; BLAS runs in one thread meanwhile, and NumPy with small buffers.

        The matrices of small networks are too small to be shared out: threads of BLAS wait for each
        other longer than they compute, many times longer where other programs need the cores too.

        NumPy copies what does not lie contiguous into buffers, whole runs of numbers too unless
        they are longer than half a buffer. Without these copies such operations take half the time.
        """
        with one_blas_thread(), _buffered(BUFFERED), super().session():
            yield

    @property
    def threads(self) -> int:
        return self._threads

    def images_at_once(self, size: int) -> int | None:
        least, most = IMAGES_AT_ONCE
        return min(max(MICROBATCH // size, least), most)

    def empty_local(self, shape: Shape, dtype: DTypeLike) -> Array:
        dtype = np.dtype(dtype)
        return self._pages.allocate(prod(shape) * dtype.itemsize).view(dtype).reshape(shape)

    def batch_view(self, memory: Array, count: int, shape: Shape, order: Order = "C") -> Array:
        """See `Backend.batch_view`; the axis of the images is the last in memory."""
        inner = memory[: count * prod(shape)]
        if order == "F":
            return inner.reshape(*reversed(shape), count).T
        return images_first(inner.reshape(*shape, count))

    def to_layout(self, x: Array, out: Array) -> Array:
        if len(x) == 1:  # which lies as it should in both orders
            return x
        np.copyto(images_last(out), images_last(x))
        return out

    def copy(self, source: Array, out: Array) -> None:
        np.copyto(out, source, casting="unsafe")

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._workspaces.get(name, shape, dtype)

    def counting(self, count: int) -> Array:
        """The numbers 0 to `count` - 1, the beginning of one array that is kept."""
        if self._counting.size < count:
            self._counting = np.arange(count, dtype=np.int64)
        return self._counting[:count]

    def _scratch(self, name: str, shape: Shape, dtype: DTypeLike) -> Array:
        """A workspace for something of each image, (n, ...), in the order of `batch_view`."""
        return images_first(self.workspace(name, (*shape[1:], shape[0]), dtype))

    def _constant(self, value: int, count: int, dtype: DTypeLike) -> Array:
        """`count` times a number, the beginning of one array that is kept; not to be written to.

        An operation with an array is several times as fast as one with a number, where NumPy's loop
        for that is not vectorised: the maximum with 0, or the sum as a product with ones.
        """
        dtype = np.dtype(dtype)
        kept = self._constants.get((value, dtype))
        if kept is None or kept.size < count:
            kept = self._constants[value, dtype] = np.full(count, value, dtype)
        return kept[:count]


def _check_threads(threads: int) -> int:
    most = max(MOST_THREADS, usable_cores())
    if threads > most:
        raise InvalidValueError(
            f"threads is {threads}: it must be at most {most} here, each a process with memory of "
            "its own"
        )
    return threads


@contextmanager
def _buffered(count: int) -> Iterator[None]:
    """NumPy's operations have buffers of so many numbers."""
    before = np.setbufsize(count)
    try:
        yield
    finally:
        np.setbufsize(before)
