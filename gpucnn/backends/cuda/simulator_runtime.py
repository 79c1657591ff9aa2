"""The simulator as a device: kernels compiled for the CPU, on NumPy arrays."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends.cuda.runtime import Function
from gpucnn.simulator import Module, Order, find_compiler

Launches = list[Callable[[], None]]


NOTHING = nullcontext()


class SimulatorRuntime:
    """A `Runtime` that executes kernels on the CPU with CUDA's semantics, a thread at a time.

    Args:
        order: the order in which the blocks, and the threads of a block, run: "forward",
            "reversed", or a seed for a shuffled order. A correct kernel gives the same in each.

    Raises:
        SimulatorError: no C++ compiler is found.
    """

    device = "simulator"
    xp: Any = np

    def __init__(self, order: Order = "forward") -> None:
        self._compiler = find_compiler()
        self._order = order
        self._recorded: Launches | None = None

    @property
    def description(self) -> str:
        return f"the CUDA kernels on the CPU, for tests, by {self._compiler.version}"

    def active(self) -> AbstractContextManager[None]:
        return NOTHING

    def record(self, work: Callable[[], None]) -> "_Recording":
        self._recorded = launches = Launches()
        try:
            work()
        finally:
            self._recorded = None
        return _Recording(launches)

    def load(self, source: str, options: tuple[str, ...]) -> "_Module":
        return _Module(self, Module(source, options, order=self._order))

    def launch(self, launch: Callable[[], None]) -> None:
        """Launch a kernel, or add it to what is being recorded."""
        if self._recorded is None:
            launch()
        else:
            self._recorded.append(launch)

    def holds(self, array: Any) -> bool:
        return isinstance(array, np.ndarray)

    def to_host(self, array: Any) -> NDArray[Any]:
        return np.array(array)


class _Module:
    """A module of the simulator whose launches can be recorded."""

    def __init__(self, runtime: SimulatorRuntime, module: Module) -> None:
        self._runtime, self._module = runtime, module

    def get_function(self, name: str) -> Function:
        function = self._module.get_function(name)

        def launch(*arguments: Any, **options: Any) -> None:
            self._runtime.launch(partial(function, *arguments, **options))

        return launch


class _Recording:
    """Launches as a `Recording`."""

    def __init__(self, launches: Launches) -> None:
        self._launches = launches

    def replay(self) -> None:
        for launch in self._launches:
            launch()
