"""The devices by name: which there are, and the backend of each."""

import os
import platform
from dataclasses import dataclass

import numpy as np

from gpucnn.backends.base import Backend
from gpucnn.backends.cpu import CpuBackend
from gpucnn.errors import InvalidValueError

BACKENDS = {"cpu": CpuBackend}


@dataclass(frozen=True)
class Device:
    """A device that a model can be placed on, and what it is."""

    name: str
    description: str


def list_devices() -> list[Device]:
    """The devices that can be used on this machine, "auto"'s choice first."""
    return [Device("cpu", _describe_cpu())]


def available_devices() -> list[str]:
    """The names of the devices that can be used on this machine, "auto"'s choice first."""
    return [device.name for device in list_devices()]


def get_backend(device: str = "auto") -> Backend:
    """A new backend for a device: "cpu", or "auto" for the first of `available_devices`.

    Raises:
        InvalidValueError: there is no device of that name.
    """
    name = available_devices()[0] if device == "auto" else device
    if name not in tuple(BACKENDS):  # of which `in` asks no hash, so that any object will do
        allowed = ", ".join(["auto", *BACKENDS])
        raise InvalidValueError(f"unknown device {device!r}: choose one of {allowed}")
    return BACKENDS[name]()


def _describe_cpu() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores, NumPy {np.__version__}"
