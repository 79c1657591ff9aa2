"""Devices by name: which exist, which are usable, and the backend of each.

The modules for a GPU and for the simulator are imported on demand: that takes as long as importing
NumPy.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gpucnn.backends.backend import Backend, CpuBackend, CudaBackend
from gpucnn.backends.ranks.launcher import gpus_of_one
from gpucnn.errors import DeviceError, GpucnnError, InvalidValueError, printable
from gpucnn.utils import arguments
from gpucnn.utils.warn import warn

GPU = re.compile(r"cuda(?::(\d+))?")


@dataclass(frozen=True)
class Device:
    """A device, and whether it can be used on this machine.

    Attributes:
        name: as `get_backend` takes it, such as "cuda:1".
        description: the hardware and software, or why the device cannot be used.
        usable: whether it can be used.
        broken: whether it is there and cannot be used, of which `get_backend` warns.
    """

    name: str
    description: str
    usable: bool = True
    broken: bool = False


def list_devices() -> list[Device]:
    """List all devices; "auto" stands for the first that is usable.

    Each device is tried, which takes a moment, and some memory on every GPU.
    """
    from gpucnn.backends.cuda.cupy_runtime import gpu_name

    gpus = [_try(gpu_name(index), partial(_on_gpu, index)) for index in _gpus()]
    return [*gpus, _try("cpu", CpuBackend), _try("simulator", _simulated)]


def available_devices() -> list[str]:
    """List the names of the devices usable on this machine; "auto" stands for the first."""
    return [device.name for device in list_devices() if device.usable]


def get_backend(device: str = "auto", threads: int | None = None) -> Backend:
    """Make a backend for a device.

    Args:
        device: "cpu"; "cuda", or "cuda:1" and so on for another GPU; "simulator", which runs the
            CUDA kernels on the CPU; or "auto" for the first GPU that can be used, else the CPU.
            Of the ranks of a machine, each has a GPU of its own: "cuda" is that of the local rank.
        threads: the worker processes that split a batch, if the device is the CPU; None for one
            per core that this process may use.

    Warns:
        GpucnnWarning: "auto" passes over a GPU, which cannot be used; the text says why.

    Raises:
        InvalidValueError: no device has that name, or `threads` is not a usable number of threads.
        DeviceError: the device cannot be used; the text says why, and what to install or change.
        SimulatorError: the simulator finds no C++ compiler.
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
        return _on_gpu(int(gpu[1]) if gpu[1] else gpus_of_one(len(_gpus()))[0])
    raise InvalidValueError(
        f"unknown device {printable(repr(device))}: choose one of auto, cpu, cuda, cuda:1 (and so "
        "on), simulator"
    )


def _automatic(threads: int | None) -> Backend:
    from gpucnn.backends.cuda.cupy_runtime import NoGpuError, gpu_name

    backend, problems = None, []
    for index in gpus_of_one(len(_gpus())):
        try:
            backend = _on_gpu(index)
            break
        except NoGpuError:  # nothing to warn of; `list_devices` gives the reason
            pass
        except DeviceError as error:
            problems.append(f"{gpu_name(index)} cannot be used: {error}")
    backend = backend or CpuBackend(threads)
    if problems:
        warn(
            f"{'; '.join(problems)}; the device is {backend.device} instead",
        )
    return backend


def _gpus() -> range:
    """The indices of the GPUs; only 0 if none is found: trying that one gives the reason."""
    from gpucnn.backends.cuda.cupy_runtime import count_gpus, import_cupy

    try:
        return range(count_gpus(import_cupy()))
    except DeviceError:
        return range(1)


def _on_gpu(index: int) -> Backend:
    from gpucnn.backends.cuda.cupy_runtime import CupyRuntime

    return CudaBackend(CupyRuntime(index))


def _simulated() -> Backend:
    from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime

    return CudaBackend(SimulatorRuntime())


def _try(name: str, make: Callable[[], Backend]) -> Device:
    from gpucnn.backends.cuda.cupy_runtime import NoGpuError

    try:
        return Device(name, make().description)
    except GpucnnError as error:
        return Device(name, str(error), usable=False, broken=not isinstance(error, NoGpuError))
