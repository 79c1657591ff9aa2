"""The memory of the CPU: images innermost, in huge pages, kept from call to call."""

import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.calls import StepCalls
from gpucnn.backends.communicator import Communicator
from gpucnn.backends.cpu.blas import OneBlasThread, is_whole
from gpucnn.backends.cpu.huge_pages import HugePages
from gpucnn.backends.cpu.layout import images_innermost, images_last, in_order
from gpucnn.backends.cpu.recording import noted
from gpucnn.backends.memory import (
    Array,
    Memory,
    Order,
    Recording,
    Shape,
    Workspaces,
    ignoring_overflow,
)
from gpucnn.backends.workers.pool import usable_cores
from gpucnn.errors import InvalidValueError
from gpucnn.utils import arguments

MICROBATCH = 12 * 2**20
"""The most bytes of a microbatch: a core's share of the caches."""

IMAGES_AT_ONCE = (32, 128)
"""The fewest and the most images of a microbatch: fewer make contiguous runs too short."""

BUFFERED = 2048
"""Elements of the buffers in which NumPy makes operands contiguous."""

MOST_THREADS = 64
"""Threads that may be asked for even where there are fewer cores."""


class CpuMemory(Memory):
    """The memory of the CPU, laid out so that NumPy's operations are fast.

    **Images innermost.** NumPy is fast within long contiguous runs and slow to start each. In the
    logical order of a batch a run is the channels of a pixel: 1 or 8 values. Here the axis of the
    images is the last in memory, (h, w, c, n) behind the logical (n, h, w, c), so that every run,
    of a patch or of a pooled row, has at least n values; nor does flattening images copy them.

    **Kept memory.** A temporary array of a megabyte costs NumPy a page fault for every 4 KiB of it,
    each time, which takes longer than the arithmetic. So what the definitions write as expressions
    is written here as a sequence of calls with `out=`, into workspaces that are kept from call to
    call.

    **Threads.** BLAS is held to one thread. A batch is split into shards, each for a process (see
    `gpucnn.backends.workers`) that works through it in microbatches that fit into the caches.

    **Recorded steps.** For a small step Python takes longer to find its way from operation to
    operation than these take. So they are recorded, as on a GPU, and repeated as a list of calls.

    Args:
        threads: the processes that split a batch, this one included; None for one per core that
            this process may use.

    Raises:
        InvalidValueError: `threads` is not a positive integer, or is above both `MOST_THREADS` and
            the number of cores.
    """

    device = "cpu"
    is_host = True
    can_record = True

    def __init__(self, threads: int | None = None) -> None:
        super().__init__(np)
        count = usable_cores() if threads is None else threads
        self._threads = _check_threads(arguments.positive_integer(count, "threads"))
        self._pages = HugePages()
        self._workspaces = Workspaces(self._pages.allocate)
        # Scratch arrays (n, ...) like `workspace`, with images innermost as in `batch_view`.
        self._scratch = Workspaces(self._pages.allocate, images_innermost).get
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
        """BLAS runs on one thread during the session, and NumPy with small buffers.

        The matrices of small networks are too small to split: threads of BLAS wait for each other
        longer than they compute, many times longer where other programs need the cores too.

        NumPy copies operands that are not contiguous into buffers, even their contiguous runs
        unless a run is longer than half a buffer. Without these copies such operations take half
        the time.
        """
        with OneBlasThread(), _Buffered(BUFFERED), ignoring_overflow():
            yield

    def session_of(self, multiply_adds: float) -> AbstractContextManager[None]:
        return ignoring_overflow() if is_whole(multiply_adds) else self.session()

    @property
    def threads(self) -> int:
        return self._threads

    def images_at_once(self, size: int) -> int | None:
        least, most = IMAGES_AT_ONCE
        return min(max(MICROBATCH // size, least), most)

    def records(self, communicator: Communicator) -> bool:
        return True

    def record(self, work: Callable[[], None]) -> Recording:
        calls = StepCalls()
        for each in noted(self, work):
            calls.add(getattr(self, each.name), *each.arguments, **each.named)
        return calls

    def empty_local(self, shape: Shape, dtype: DTypeLike) -> Array:
        dtype = np.dtype(dtype)
        return self._pages.allocate(prod(shape) * dtype.itemsize).view(dtype).reshape(shape)

    def batch_view(self, memory: Array, count: int, shape: Shape, order: Order = "C") -> Array:
        """The axis of the images is the last in memory; that of channels if so ordered."""
        return in_order(memory[: count * prod(shape)], (count, *shape), order)

    def to_layout(self, x: Array, out: Array) -> Array:
        if len(x) == 1:  # both layouts are the same
            return x
        np.copyto(images_last(out), images_last(x))
        return out

    def copy(self, source: Array, out: Array) -> None:
        np.copyto(out, source, casting="unsafe")

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._workspaces.get(name, shape, dtype)

    def counting(self, count: int) -> Array:
        """The beginning of one array, which is kept and grows."""
        if self._counting.size < count:
            self._counting = np.arange(count, dtype=np.int64)
        return self._counting[:count]

    def _constant(self, value: int, count: int, dtype: DTypeLike) -> Array:
        """`count` elements equal to `value`: the beginning of a kept array, not to be written to.

        An operation with an array is several times as fast as one with a scalar where NumPy's loop
        for scalars is not vectorised, such as the maximum with 0; and so is a product with ones
        instead of a sum.
        """
        dtype = np.dtype(dtype)
        kept = self._constants.get((value, dtype))
        if kept is None or kept.size < count:
            kept = self._constants[value, dtype] = np.full(count, value, dtype)
        return kept[:count]


def most_threads() -> int:
    """The largest number of processes among which a batch may be split on this machine."""
    return max(MOST_THREADS, usable_cores())


def _check_threads(threads: int) -> int:
    if threads > MOST_THREADS and threads > (most := most_threads()):
        raise InvalidValueError(
            f"threads is {threads}: it must be at most {most} here, each a process with memory of "
            "its own"
        )
    return threads


class _Buffered:
    """A context in which NumPy's operations have buffers of `count` elements."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._before = np.setbufsize(self._count)

    def __exit__(self, *error: object) -> None:
        np.setbufsize(self._before)
