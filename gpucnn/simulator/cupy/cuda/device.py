"""The device: there is one, which is never busy."""

from typing import Any

from gpucnn.simulator.cupy.errors import CUDARuntimeError
from gpucnn.simulator.cupy.memory import DEVICE_BYTES, pool
from gpucnn.simulator.cupy.recording import refuse_in_capture
from gpucnn.simulator.module import (
    LARGEST_BLOCK,
    LARGEST_GRID,
    MOST_SHARED,
    MOST_STATIC_SHARED,
    MOST_THREADS,
)

CAPABILITY = (9, 0)
"""Compute capability, as of the limits that the simulator holds kernels to."""

WARP = 32
MULTIPROCESSORS = 2

ATTRIBUTES = {
    "ComputeCapabilityMajor": CAPABILITY[0],
    "ComputeCapabilityMinor": CAPABILITY[1],
    "MaxThreadsPerBlock": MOST_THREADS,
    "MaxBlockDimX": LARGEST_BLOCK[0],
    "MaxBlockDimY": LARGEST_BLOCK[1],
    "MaxBlockDimZ": LARGEST_BLOCK[2],
    "MaxGridDimX": LARGEST_GRID[0],
    "MaxGridDimY": LARGEST_GRID[1],
    "MaxGridDimZ": LARGEST_GRID[2],
    "MaxSharedMemoryPerBlock": MOST_STATIC_SHARED,
    "MaxSharedMemoryPerBlockOptin": MOST_SHARED,
    "MultiProcessorCount": MULTIPROCESSORS,
    "WarpSize": WARP,
    "ConcurrentManagedAccess": 1,
    "CooperativeLaunch": 1,
    "ClockRate": 1_000_000,
    "MaxThreadsPerMultiProcessor": 2048,
}
"""By CUDA's names, without cudaDevAttr."""


class Device:
    """A device, which is the current one within `with`.

    Args:
        device: its number, 0; the current one's if None.

    Raises:
        CUDARuntimeError: there is no such device.
    """

    def __init__(self, device: "int | Device | None" = None) -> None:
        number = 0 if device is None else int(device)
        if number != 0:
            raise CUDARuntimeError(
                f"cudaErrorInvalidDevice: invalid device ordinal {number}: the simulator has one "
                "device, 0"
            )
        self.id = number

    attributes = property(lambda _: dict(ATTRIBUTES), doc="What it is capable of.")
    compute_capability = property(lambda _: "{}{}".format(*CAPABILITY))
    pci_bus_id = property(lambda _: "0000:00:00.0")
    mem_info = property(lambda _: (DEVICE_BYTES - pool.total_bytes(), DEVICE_BYTES))

    def use(self) -> None:
        """Make it the current device."""

    def synchronize(self) -> None:
        """Wait for what was launched: it has ended already."""
        refuse_in_capture("a synchronisation")

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def __int__(self) -> int:
        return self.id

    __index__ = __int__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"


def get_device_id() -> int:
    """The current device's number."""
    return 0


def get_compute_capability() -> str:
    """The device's, as two digits."""
    return str(Device().compute_capability)
