"""The devices by name: which there are, which can be used, and the backend of each.

What a GPU and the simulator need is imported when they are asked for: it takes as long as NumPy.
"""

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpucnn.backends.base import Backend
from gpucnn.backends.cpu import CpuBackend
from gpucnn.errors import DeviceError, InvalidValueError

GPU = re.compile(r"cuda(?::(\d+))?")


@dataclass(frozen=True)
class Device:
    """A device, what it is or why it cannot be used, and whether it can."""

    name: str
    description: str
    usable: bool = True


def list_devices() -> list[Device]:
    """All devices; the first that can be used is the choice of "auto"."""
    return [*_gpus(), Device("cpu", _describe_cpu()), _simulator()]


def available_devices() -> list[str]:
    """The names of the devices that can be used on this machine, "auto"'s choice first."""
    return [device.name for device in list_devices() if device.usable]


def get_backend(device: str = "auto") -> Backend:
    """A new backend for a device.

    Args:
        device: "cpu"; "cuda", or "cuda:1" and so on for another GPU; "simulator", which runs the
            CUDA kernels on the CPU; or "auto" for a GPU if one can be used, else the CPU.

    Raises:
        InvalidValueError: there is no device of that name.
        DeviceError: it cannot be used; the text says why, and what to install or change.
        SimulatorError: the simulator lacks a C++ compiler.
    """
    if device == "auto":
        return _automatic()
    if device == "cpu":
        return CpuBackend()
    if device == "simulator":
        return _simulated()
    if isinstance(device, str) and (gpu := GPU.fullmatch(device)):
        return _on_gpu(int(gpu[1] or 0))
    raise InvalidValueError(
        f"unknown device {device!r}: choose one of auto, cpu, cuda, cuda:1 (and so on), simulator"
    )


def _automatic() -> Backend:
    try:
        return _on_gpu(0)
    except DeviceError:  # which `list_devices` tells
        return CpuBackend()


def _on_gpu(index: int) -> Backend:
    from gpucnn.backends.cuda import CudaBackend
    from gpucnn.cuda.gpu import Gpu

    return CudaBackend(Gpu(index))


def _simulated() -> Backend:
    from gpucnn.backends.cuda import CudaBackend
    from gpucnn.cuda.simulation import Simulation

    return CudaBackend(Simulation())


def _gpus() -> Iterator[Device]:
    from gpucnn.cuda.gpu import count_gpus, import_cupy

    try:
        for index in range(count_gpus(import_cupy())):
            yield _gpu(index)
    except DeviceError as error:
        yield Device("cuda", str(error), usable=False)


def _gpu(index: int) -> Device:
    from gpucnn.cuda.gpu import Gpu

    try:
        gpu = Gpu(index)
        return Device(gpu.device, gpu.description)
    except DeviceError as error:
        return Device(f"cuda:{index}" if index else "cuda", str(error), usable=False)


def _describe_cpu() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores, NumPy {np.__version__}"


def _simulator() -> Device:
    from gpucnn.simulator import SimulatorError, find_compiler

    try:
        version = find_compiler().version.splitlines()[0]
    except SimulatorError as error:
        return Device("simulator", str(error), usable=False)
    return Device("simulator", f"the CUDA kernels on the CPU, for tests, by {version}")
