"""The simulator as a device: kernels compiled for the CPU, on NumPy arrays."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.simulator import Module, Order, find_compiler


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

    @property
    def description(self) -> str:
        return f"the CUDA kernels on the CPU, for tests, by {self._compiler.version}"

    def active(self) -> AbstractContextManager[None]:
        return nullcontext()

    def load(self, source: str, options: tuple[str, ...]) -> Module:
        return Module(source, options, order=self._order)

    def holds(self, array: Any) -> bool:
        return isinstance(array, np.ndarray)

    def to_host(self, array: Any) -> NDArray[Any]:
        return np.array(array)
