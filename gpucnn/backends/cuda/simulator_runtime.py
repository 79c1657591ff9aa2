"""The simulator as a device: kernels compiled for the CPU, on NumPy arrays."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gpucnn.backends.communicator import Communicator
from gpucnn.backends.cuda.runtime import NOT_RECORDED, Function
from gpucnn.backends.memory import NOTHING, Array
from gpucnn.errors import DeviceError
from gpucnn.simulator import Block, DeviceMemory, Module, Order, Prepared, block_of, find_compiler

Launches = list[tuple[Prepared, tuple[Any, ...]]]
"""Launches and their arguments."""


class SimulatorRuntime:
    """A `Runtime` that executes kernels on the CPU with CUDA's semantics, a thread at a time.

    Args:
        order: the order in which the blocks, and the threads of a block, run: "forward",
            "reversed", or a seed for a shuffled order. A correct kernel gives the same in each.
        checked: whether each access of a kernel to memory is checked. Training is faster without.

    Raises:
        SimulatorError: no C++ compiler is found.
    """

    device = "simulator"
    xp: Any = np
    traits = attrgetter("__class__", "shape", "dtype", "flags.c_contiguous")

    def __init__(self, order: Order = "forward", *, checked: bool = False) -> None:
        self._compiler = find_compiler()
        self._order, self._checked = order, checked
        self._memory = DeviceMemory()
        self._here = threading.local()  # launches: those that this thread records, or None

    @property
    def description(self) -> str:
        return f"the CUDA kernels on the CPU, for tests, by {self._compiler.version}"

    def across(self, host: Communicator) -> None:
        """None: arrays are copied, as on a GPU without NCCL."""

    def active(self) -> AbstractContextManager[None]:
        return NOTHING

    def record(self, work: Callable[[], None]) -> "_Recording":
        """What `work` does besides launches is done now and not again, so it is refused."""
        before = {each: each.contents.copy() for each in self._memory.blocks()}
        self._here.launches = launches = Launches()
        self._here.branch = Launches()
        try:
            work()
        finally:
            self._here.launches = None
            is_changed = _restore(launches, before)
        if self._here.branch:
            raise DeviceError("a branch cannot be recorded that is not joined")
        if is_changed:
            raise DeviceError(
                "an operation of NumPy, which changed an array of the device, cannot be recorded: "
                "a recording holds launches of kernels alone"
            )
        return _Recording([launch for launch, _ in launches])

    @property
    def is_recording(self) -> bool:
        return getattr(self._here, "launches", None) is not None

    @contextmanager
    def branch(self) -> Iterator[None]:
        """Recorded launches of a branch come as late as they may: as a GPU may run them.

        Those that are not recorded come in their turn, as early as they may.
        """
        main = getattr(self._here, "launches", None)
        if main is None:
            yield
            return
        self._here.launches = self._here.branch
        try:
            yield
        finally:
            self._here.launches = main

    def join(self) -> None:
        if self.is_recording:
            self._here.launches.extend(self._here.branch)
            self._here.branch.clear()

    def load(self, source: str, options: tuple[str, ...]) -> "_Module":
        return _Module(self, Module(source, options, self._order, checked=self._checked))

    def launch(self, launch: Prepared, arguments: tuple[Any, ...]) -> None:
        """Launch a kernel, or add it to what this thread is recording."""
        if not self.is_recording:
            launch()
            return
        if any(np.ndim(each) and block_of(each) is None for each in arguments):
            raise DeviceError(NOT_RECORDED.format("an allocation by array code"))
        self._here.launches.append((launch, arguments))

    def holds(self, array: Any) -> bool:
        return isinstance(array, np.ndarray)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._memory.empty(shape, dtype)

    def to_device(self, array: Any, dtype: DTypeLike | None) -> Array:
        values = np.asarray(array, dtype, order="C")
        if block_of(values) is not None:
            return values
        out = self.empty(values.shape, values.dtype)
        out[...] = values
        return out

    def to_host(self, array: Any) -> NDArray[Any]:
        return np.array(array)


class _Module:
    """A module of the simulator whose launches can be recorded."""

    def __init__(self, runtime: SimulatorRuntime, module: Module) -> None:
        self._runtime, self._module = runtime, module

    def get_function(self, name: str) -> Function:
        function = self._module.get_function(name)

        def launch(
            grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], **options: Any
        ) -> None:
            self._runtime.launch(function.prepare(grid, block, args, **options), args)

        return launch


class _Recording:
    """Launches as a `Recording`: the addresses of their arrays, and the values of their scalars."""

    def __init__(self, launches: list[Prepared]) -> None:
        self._launches = launches

    def replay(self) -> None:
        for launch in self._launches:
            launch()


def _restore(launches: Launches, before: dict[Block, NDArray[np.uint8]]) -> bool:
    """Make the memory that recorded launches use what it was; return whether it was changed."""
    arrays = (each for _, args in launches for each in args if isinstance(each, np.ndarray))
    blocks = {block for each in arrays if (block := block_of(each)) in before}
    changed = [each for each in blocks if not np.array_equal(each.contents, before[each])]
    for block in changed:
        block.contents[...] = before[block]
    return bool(changed)
