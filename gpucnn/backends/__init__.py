"""The devices, and the operations that run on each."""

from gpucnn.backends.base import Array, Backend
from gpucnn.backends.cpu import CpuBackend
from gpucnn.backends.devices import Device, available_devices, get_backend, list_devices
from gpucnn.backends.window import Window

__all__ = [
    "Array",
    "Backend",
    "CpuBackend",
    "Device",
    "Window",
    "available_devices",
    "get_backend",
    "list_devices",
]
