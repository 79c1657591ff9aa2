"""The memory of a device that runs CUDA kernels, and their launch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.cuda.launch import Launcher
from gpucnn.backends.cuda.runtime import Runtime
from gpucnn.backends.memory import Array, Memory, Recording, Workspaces

TICKETS = 256
"""The tickets of a backend: the most sums of one launch that each have several blocks."""


class CudaMemory(Memory):
    """The memory of a device that runs CUDA kernels.

    Args:
        runtime: the runtime of the kernels, a GPU or the simulator.
    """

    can_record = True

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.xp)
        self.device = runtime.device
        self._runtime = runtime
        self._launcher = Launcher(runtime)
        self._workspaces = Workspaces(self._allocate)

    def __copy__(self) -> "CudaMemory":
        """Copy it, with workspaces of its own; the compiled kernels are shared."""
        twin = type(self)(self._runtime)
        twin._launcher = self._launcher
        return twin

    def launch(self, kernel: Kernel, arguments: dict[str, Any]) -> None:
        """Launch a kernel with arguments by name, see `Launcher`."""
        self._launcher(kernel, arguments)

    @property
    def description(self) -> str:
        return self._runtime.description

    def record(self, work: Callable[[], None]) -> Recording:
        """See `Runtime.record`."""
        with self._runtime.active():
            return self._runtime.record(work)

    @contextmanager
    def session(self) -> Iterator[None]:
        """The device is the current one during the session."""
        with self._runtime.active(), super().session():
            yield

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        with self._runtime.active():
            return super().empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        with self._runtime.active():
            return super().zeros(shape, dtype)

    def asarray(self, array: Array, dtype: DTypeLike | None = None) -> Array:
        with self._runtime.active():
            return super().asarray(array, dtype)

    def to_host(self, array: Array) -> Array:
        with self._runtime.active():
            return self._runtime.to_host(array)

    def copy(self, source: Array, out: Array) -> None:
        with self._runtime.active():
            super().copy(source, out)

    def _allocate(self, size: int) -> Array:
        self.allocations += 1
        return self.empty((size,), np.uint8)

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._workspaces.get(name, shape, dtype)

    @cached_property
    def tickets(self) -> Array:
        """uint32 zeros, for kernels that count blocks with them and leave zeros behind.

        See kernels/last_block.cuh.
        """
        return self.zeros((TICKETS,), np.uint32)

    def counting(self, count: int) -> Array:
        with self._runtime.active():
            return super().counting(count)
