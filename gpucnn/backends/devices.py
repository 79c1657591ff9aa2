"""The devices by name: which there are, which can be used, and the backend of each.

What a GPU and the simulator need is imported when they are asked for: it takes as long as NumPy.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from gpucnn.backends.backend import Backend
from gpucnn.backends.cpu.backend import CpuBackend
from gpucnn.errors import DeviceError, GpucnnError, InvalidValueError, printable
from gpucnn.utils import arguments

GPU = re.compile(r"cuda(?::(\d+))?")


@dataclass(frozen=True)
class Device:
    """A device, what it is or why it cannot be used, and whether it can."""

    name: str
    description: str
    usable: bool = True


def list_devices() -> list[Device]:
    """All devices; the first that can be used is the choice of "auto".

    Each is tried, which takes a moment and some memory on every GPU.
    """
    from gpucnn.backends.cuda.cupy_runtime import gpu_name

    gpus = [_try(gpu_name(index), partial(_on_gpu, index)) for index in _gpus()]
    return [*gpus, _try("cpu", CpuBackend), _try("simulator", _simulated)]


def available_devices() -> list[str]:
    """The names of the devices that can be used on this machine, "auto"'s choice first."""
    return [device.name for device in list_devices() if device.usable]


def get_backend(device: str = "auto", threads: int | None = None) -> Backend:
    """A new backend for a device.

    Args:
        device: "cpu"; "cuda", or "cuda:1" and so on for another GPU; "simulator", which runs the
            CUDA kernels on the CPU; or "auto" for the first GPU that can be used, else the CPU.
        threads: of the CPU, if it is that; as many as this process may use cores if None.

    Raises:
        InvalidValueError: there is no device of that name, or `threads` is no number of threads.
        DeviceError: it cannot be used; the text says why, and what to install or change.
        SimulatorError: the simulator lacks a C++ compiler.
    """
    if threads is not None:
        arguments.positive_integer(threads, "threads")
    if device == "auto":
        return _automatic(threads)
    if device == "cpu":
        return CpuBackend(threads)
    if device == "simulator":
        return _simulated()
    if isinstance(device, str) and (gpu := GPU.fullmatch(device)):
        return _on_gpu(int(gpu[1] or 0))
    raise InvalidValueError(
        f"unknown device {printable(repr(device))}: choose one of auto, cpu, cuda, cuda:1 (and so "
        "on), simulator"
    )


def _automatic(threads: int | None) -> Backend:
    for index in _gpus():
        with suppress(DeviceError):  # which `list_devices` tells
            return _on_gpu(index)
    return CpuBackend(threads)


def _gpus() -> range:
    """The indices of the GPUs; that of one to try, if there is none or CuPy cannot say."""
    from gpucnn.backends.cuda.cupy_runtime import count_gpus, import_cupy

    try:
        return range(count_gpus(import_cupy()))
    except DeviceError:
        return range(1)


def _on_gpu(index: int) -> Backend:
    from gpucnn.backends.cuda.backend import CudaBackend
    from gpucnn.backends.cuda.cupy_runtime import Gpu

    return CudaBackend(Gpu(index))


def _simulated() -> Backend:
    from gpucnn.backends.cuda.backend import CudaBackend
    from gpucnn.backends.cuda.simulator_runtime import Simulation

    return CudaBackend(Simulation())


def _try(name: str, make: Callable[[], Backend]) -> Device:
    try:
        return Device(name, make().description)
    except GpucnnError as error:
        return Device(name, str(error), usable=False)
