"""The simulator as a device: kernels compiled for the CPU, on NumPy's arrays."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.simulator import Module, Order, find_compiler


class Simulation:
    """A `Runtime` that executes kernels on the CPU, as CUDA defines it, a thread at a time.

    Args:
        order: in which the threads of a block, and the blocks, take their turns: "forward",
            "reversed", or a seed for a shuffled order. A right kernel gives the same in each.

    Raises:
        SimulatorError: there is no C++ compiler.
    """

    device = "simulator"
    xp: Any = np

    def __init__(self, order: Order = "forward") -> None:
        self._compiler = find_compiler()
        self._order = order

    @property
    def description(self) -> str:
        """See `Runtime.description`."""
        return f"the CUDA kernels on the CPU, for tests, by {self._compiler.version}"

    def active(self) -> AbstractContextManager[None]:
        """See `Runtime.active`."""
        return nullcontext()

    def load(self, source: str, options: tuple[str, ...]) -> Module:
        """See `Runtime.load`."""
        return Module(source, options, order=self._order)

    def holds(self, array: Any) -> bool:
        """See `Runtime.holds`."""
        return isinstance(array, np.ndarray)

    def to_host(self, array: Any) -> NDArray[Any]:
        """See `Runtime.to_host`."""
        return np.array(array)
