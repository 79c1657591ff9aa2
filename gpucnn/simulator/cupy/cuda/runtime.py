"""`cupy.cuda.runtime`: CUDA's functions that programs call by name."""

import ctypes
from typing import Any

from gpucnn.simulator.cupy.cuda.device import ATTRIBUTES, CAPABILITY, MULTIPROCESSORS, WARP, Device
from gpucnn.simulator.cupy.errors import CUDARuntimeError
from gpucnn.simulator.cupy.memory import DEVICE_BYTES, MemoryPointer, alloc
from gpucnn.simulator.module import (
    LARGEST_BLOCK,
    LARGEST_GRID,
    MOST_SHARED,
    MOST_STATIC_SHARED,
    MOST_THREADS,
)

VERSION = 13000
"""CUDA's, 13.0."""

CONSTANTS = {
    "memcpyHostToHost": 0,
    "memcpyHostToDevice": 1,
    "memcpyDeviceToHost": 2,
    "memcpyDeviceToDevice": 3,
    "memcpyDefault": 4,
    "streamDefault": 0,
    "streamNonBlocking": 1,
    "streamLegacy": 1,
    "streamPerThread": 2,
    "streamCaptureModeGlobal": 0,
    "streamCaptureModeThreadLocal": 1,
    "streamCaptureModeRelaxed": 2,
    "eventDefault": 0,
    "eventDisableTiming": 2,
    "cudaDevAttrMaxThreadsPerBlock": 1,
    "cudaDevAttrMaxSharedMemoryPerBlock": 8,
    "cudaDevAttrWarpSize": 10,
    "cudaDevAttrMultiProcessorCount": 16,
    "cudaDevAttrComputeCapabilityMajor": 75,
    "cudaDevAttrComputeCapabilityMinor": 76,
    "cudaDevAttrMaxSharedMemoryPerBlockOptin": 97,
    "is_hip": False,
    "CUDA_VERSION": VERSION,
}

_ATTRIBUTES = {
    number: ATTRIBUTES[name.removeprefix("cudaDevAttr")]
    for name, number in CONSTANTS.items()
    if name.startswith("cudaDevAttr")
}

_allocated: dict[int, MemoryPointer] = {}  # by address


def getDeviceCount() -> int:  # noqa: N802 - CUDA's name, as below
    """The number of devices: 1."""
    return 1


def getDevice() -> int:  # noqa: N802
    """The number of the current device: 0."""
    return 0


def setDevice(device: int) -> None:  # noqa: N802
    """Make a device the current one."""
    Device(device).use()


def deviceSynchronize() -> None:  # noqa: N802
    """Wait for what was launched: it has ended already."""
    Device().synchronize()


def streamSynchronize(stream: int) -> None:  # noqa: N802
    """Wait for what was launched: it has ended already."""
    Device().synchronize()


def getDeviceProperties(device: int) -> dict[str, Any]:  # noqa: N802
    """What the device is capable of: the limits that the simulator holds kernels to."""
    Device(device)
    return {
        "name": b"gpucnn simulator",
        "totalGlobalMem": DEVICE_BYTES,
        "sharedMemPerBlock": MOST_STATIC_SHARED,
        "sharedMemPerBlockOptin": MOST_SHARED,
        "sharedMemPerMultiprocessor": MOST_SHARED + 1024,
        "regsPerBlock": 65536,
        "regsPerMultiprocessor": 65536,
        "warpSize": WARP,
        "maxThreadsPerBlock": MOST_THREADS,
        "maxThreadsDim": LARGEST_BLOCK,
        "maxGridSize": LARGEST_GRID,
        "maxThreadsPerMultiProcessor": ATTRIBUTES["MaxThreadsPerMultiProcessor"],
        "clockRate": ATTRIBUTES["ClockRate"],
        "memoryClockRate": 1_000_000,
        "memoryBusWidth": 512,
        "l2CacheSize": 32 << 20,
        "totalConstMem": 64 << 10,
        "major": CAPABILITY[0],
        "minor": CAPABILITY[1],
        "multiProcessorCount": MULTIPROCESSORS,
        "concurrentKernels": 1,
        "cooperativeLaunch": 1,
        "managedMemory": 1,
        "unifiedAddressing": 1,
        "integrated": 0,
        "canMapHostMemory": 1,
        "ECCEnabled": 0,
        "pciBusID": 0,
        "pciDeviceID": 0,
        "pciDomainID": 0,
    }


def deviceGetAttribute(attribute: int, device: int) -> int:  # noqa: N802
    """One of the device's attributes.

    Raises:
        CUDARuntimeError: the simulator has no such attribute.
    """
    Device(device)
    if attribute not in _ATTRIBUTES:
        raise CUDARuntimeError(f"the simulator does not have the device attribute {attribute}")
    return _ATTRIBUTES[attribute]


def deviceCanAccessPeer(device: int, peer: int) -> int:  # noqa: N802
    """Whether one device reads another's memory."""
    return 0


def memGetInfo() -> tuple[int, int]:  # noqa: N802
    """The bytes that are free, and all."""
    return Device().mem_info  # type: ignore[no-any-return]


def runtimeGetVersion() -> int:  # noqa: N802
    """The version of CUDA's runtime."""
    return VERSION


def driverGetVersion() -> int:  # noqa: N802
    """The version of CUDA's driver."""
    return VERSION


def malloc(size: int) -> int:
    """Allocate bytes on the device."""
    pointer = alloc(size)
    _allocated[int(pointer)] = pointer
    return int(pointer)


def free(ptr: int) -> None:
    """Free what `malloc` has allocated; 0 is nothing.

    Raises:
        CUDARuntimeError: it has not, or it is freed already.
    """
    if ptr and _allocated.pop(ptr, None) is None:
        raise CUDARuntimeError(
            f"cudaErrorInvalidValue: invalid argument: malloc has not given {ptr:#x}, or it is "
            "freed already"
        )


def memcpy(dst: int, src: int, size: int, kind: int) -> None:
    """Copy bytes from one address to another."""
    ctypes.memmove(dst, src, size)


def memcpyAsync(dst: int, src: int, size: int, kind: int, stream: int) -> None:  # noqa: N802
    """As `memcpy`."""
    memcpy(dst, src, size, kind)


def memset(ptr: int, value: int, size: int) -> None:
    """Set bytes."""
    ctypes.memset(ptr, value, size)


def memsetAsync(ptr: int, value: int, size: int, stream: int) -> None:  # noqa: N802
    """As `memset`."""
    memset(ptr, value, size)


def profilerStart() -> None:  # noqa: N802
    """Nothing: there is no profiler."""


def profilerStop() -> None:  # noqa: N802
    """Nothing: there is no profiler."""
