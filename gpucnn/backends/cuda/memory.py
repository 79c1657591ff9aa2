"""The memory of a device that runs CUDA kernels, and their launch."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.communicator import Communicator
from gpucnn.backends.cuda.kernel import Form
from gpucnn.backends.cuda.launch import Launcher
from gpucnn.backends.cuda.runtime import NOT_RECORDED, Runtime
from gpucnn.backends.memory import Array, Memory, Recording, Workspaces
from gpucnn.backends.ranks.on_device import HostCopyCommunicator
from gpucnn.errors import DeviceError

TICKETS = 256
"""The tickets of a backend: the most sums of one launch that each have several blocks."""


class CudaMemory(Memory):
    """The memory of a device that runs CUDA kernels.

    Args:
        runtime: the runtime of the kernels, a GPU or the simulator.

    Attributes:
        runtime: the same.
    """

    can_record = True

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.xp)
        self.device = runtime.device
        self.runtime = runtime
        self._launcher = Launcher(runtime)
        # A branch may run beside what follows it, so it has workspaces and tickets of its own.
        self._workspaces = [Workspaces(self._allocate) for _ in ("main", "branch")]
        self._branch = 0

    def __copy__(self) -> "CudaMemory":
        """Copy it, with workspaces of its own; the compiled kernels are shared."""
        twin = type(self)(self.runtime)
        twin._launcher = self._launcher
        return twin

    def launch(self, form: Form, values: tuple[Any, ...]) -> None:
        """Launch a kernel with the values of its arguments, see `Launcher`."""
        self._launcher(form, values)

    @property
    def description(self) -> str:
        return self.runtime.description

    def across(self, host: Communicator) -> Communicator:
        """NCCL's where it is installed, else one that copies arrays to the host and back.

        A single rank needs neither: it has nothing to sum, and NCCL may be missing.
        """
        if host.size == 1:
            return host
        return self.runtime.across(host) or HostCopyCommunicator(self, host)

    def record(self, work: Callable[[], None]) -> Recording:
        with self.runtime.active(), self._launcher.noting_arrays() as arrays:
            return _Kept(self.runtime, self.runtime.record(work), arrays)

    def branch(self) -> AbstractContextManager[None]:
        return self._branched()

    @contextmanager
    def _branched(self) -> Iterator[None]:
        self._branch = 1
        try:
            with self.runtime.branch():
                yield
        finally:
            self._branch = 0

    def join(self) -> None:
        self.runtime.join()

    @contextmanager
    def session(self) -> Iterator[None]:
        """The device is the current one during the session."""
        with self.runtime.active(), super().session():
            yield

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        with self._unrecorded("an allocation"):
            return self.runtime.empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        with self._unrecorded("an allocation"):
            out = self.runtime.empty(shape, dtype)
            out.fill(0)
            return out

    def asarray(self, array: Array, dtype: DTypeLike | None = None) -> Array:
        with self._unrecorded("a copy to the device"):
            return self.runtime.to_device(array, dtype)

    def as_operand(self, array: Array, dtype: DTypeLike) -> Array:
        fits = self.runtime.holds(array) and array.dtype == dtype and array.flags.c_contiguous
        return array if fits else self.asarray(array, dtype)

    def to_host(self, array: Array) -> Array:
        with self._unrecorded("a copy to the host"):
            return self.runtime.to_host(array)

    def copy(self, source: Array, out: Array) -> None:
        with self._unrecorded("a copy"):
            super().copy(source, out)

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._workspaces[self._branch].get(name, shape, dtype)

    @property
    def tickets(self) -> Array:
        """uint32 zeros, for kernels that count blocks with them and leave zeros behind.

        See kernels/last_block.cuh.
        """
        return self._tickets[self._branch]

    @cached_property
    def _tickets(self) -> list[Array]:
        return [self.zeros((TICKETS,), np.uint32) for _ in self._workspaces]

    def counting(self, count: int) -> Array:
        return self.asarray(np.arange(count, dtype=np.int64))

    def _allocate(self, size: int) -> Array:
        self.allocations += 1
        return self.empty((size,), np.uint8)

    def _unrecorded(self, what: str) -> AbstractContextManager[None]:
        """The device as the current one, for what no recording can hold.

        Raises:
            DeviceError: this thread is recording.
        """
        if self.runtime.is_recording:
            raise DeviceError(NOT_RECORDED.format(what))
        return self.runtime.active()


class _Kept:
    """A recording, and the arrays that it points at."""

    def __init__(self, runtime: Runtime, recording: Recording, arrays: list[Array]) -> None:
        self._runtime, self._recording, self._arrays = runtime, recording, arrays

    def replay(self) -> None:
        with self._runtime.active():
            self._recording.replay()
