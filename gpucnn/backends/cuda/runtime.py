"""The interface of the runtimes on which kernels run: a GPU through CuPy, and the simulator."""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpy.typing import DTypeLike, NDArray

from gpucnn.backends.communicator import Communicator
from gpucnn.backends.memory import Array, Recording

Function = Callable[[tuple[int, ...], tuple[int, ...], tuple[Any, ...]], None]
"""A loaded kernel, called with the grid, the block (threads along each axis), and the arguments."""

NOT_RECORDED = (
    "{} cannot be recorded: a recording holds launches of kernels alone, on memory that was there "
    "before"
)
"""The text of an error, in which an operation is to be named."""


class Module(Protocol):
    """A compiled file of kernels."""

    def get_function(self, name: str) -> Function:
        """Load the kernel `name`."""


class Runtime(Protocol):
    """A device, seen as what runs kernels.

    Attributes:
        device: the name of the device.
        xp: the module whose arrays live on the device, NumPy or CuPy.
    """

    device: str
    xp: Any

    @property
    def description(self) -> str:
        """The device in a few words."""

    def across(self, host: Communicator) -> Communicator | None:
        """A communicator of the device's arrays, given the host's; None if it has none."""

    def active(self) -> AbstractContextManager[None]:
        """A context in which the device is the current one, and its errors are told in one line."""

    def record(self, work: Callable[[], None]) -> Recording:
        """Record the launches of `work`, without running them; call it while `active`.

        `work` may only launch kernels, on memory that outlives the recording.

        Raises:
            DeviceError: the work cannot be recorded.
        """

    @property
    def is_recording(self) -> bool:
        """Whether this thread is recording."""

    def branch(self) -> AbstractContextManager[None]:
        """A context whose launches, if they are recorded, are a branch of the recording."""

    def join(self) -> None:
        """Let what is recorded from now on wait for the branches."""

    def load(self, source: str, options: tuple[str, ...]) -> Module:
        """Compile CUDA C for the device, or load it from a cache of compiled code."""

    def holds(self, array: Any) -> bool:
        """Whether `array` is an array on the device."""

    @property
    def traits(self) -> Callable[[Any], Hashable]:
        """Gives what a launch depends on of an array: type, shape, dtype, contiguity, device."""

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Allocate an array without setting its elements."""

    def to_device(self, array: Any, dtype: DTypeLike | None) -> Array:
        """Copy an array, on the host or the device, to a C-contiguous one; itself if it is that."""

    def to_host(self, array: Any) -> NDArray[Any]:
        """Copy an array on the device to a new NumPy array."""
