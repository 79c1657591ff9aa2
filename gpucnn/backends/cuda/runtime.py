"""What launches need of the place where kernels run: a GPU through CuPy, or the simulator."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpy.typing import NDArray

Function = Callable[[tuple[int, ...], tuple[int, ...], tuple[Any, ...]], None]
"""A loaded kernel, called with the numbers of blocks, of threads in each, and the arguments."""


class Module(Protocol):
    """A compiled file of kernels."""

    def get_function(self, name: str) -> Function:
        """The kernel of that name."""


class Runtime(Protocol):
    """A place where kernels run.

    Attributes:
        device: the name of the device.
        xp: the module whose arrays live on it, NumPy or CuPy.
    """

    device: str
    xp: Any

    @property
    def description(self) -> str:
        """What the device is, in a few words."""

    def active(self) -> AbstractContextManager[None]:
        """A span in which the device is the current one, and its errors are told in one line."""

    def load(self, source: str, options: tuple[str, ...]) -> Module:
        """Compile CUDA C for the device, or take it from a cache of what was compiled before."""

    def holds(self, array: Any) -> bool:
        """Whether `array` is an array on this device."""

    def to_host(self, array: Any) -> NDArray[Any]:
        """A copy of an array of the device as a NumPy array."""
