"""Devices, and the operations that run on each."""

from gpucnn.backends.backend import Backend, CpuBackend
from gpucnn.backends.calls import Calls
from gpucnn.backends.communicator import ALONE, Communicator
from gpucnn.backends.devices import Device, available_devices, get_backend, list_devices
from gpucnn.backends.fused import ConvClassifier, ConvReluPool, ConvReluPoolPlan
from gpucnn.backends.memory import Array, BatchMemory, Buffer, Order, Shape
from gpucnn.backends.ops.matrices import as_rows
from gpucnn.backends.window import Window

__all__ = [
    "ALONE",
    "Array",
    "Backend",
    "BatchMemory",
    "Buffer",
    "Calls",
    "Communicator",
    "ConvClassifier",
    "ConvReluPool",
    "ConvReluPoolPlan",
    "CpuBackend",
    "Device",
    "Order",
    "Shape",
    "Window",
    "as_rows",
    "available_devices",
    "get_backend",
    "list_devices",
]
