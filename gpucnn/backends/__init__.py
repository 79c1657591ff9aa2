"""The devices, and the operations that run on each."""

from gpucnn.backends.base import Array, Backend, FusedMemory, as_rows
from gpucnn.backends.batch_memory import BatchMemory
from gpucnn.backends.buffer import Buffer, Shape
from gpucnn.backends.cpu.backend import CpuBackend
from gpucnn.backends.devices import Device, available_devices, get_backend, list_devices
from gpucnn.backends.window import Window
from gpucnn.backends.workers.communicator import ALONE, Communicator

__all__ = [
    "ALONE",
    "Array",
    "Backend",
    "BatchMemory",
    "Buffer",
    "Communicator",
    "CpuBackend",
    "Device",
    "FusedMemory",
    "Shape",
    "Window",
    "as_rows",
    "available_devices",
    "get_backend",
    "list_devices",
]
