"""The order in memory of what one operation gives to the next."""

import numpy as np

from gpucnn.backends.calls import Calls
from gpucnn.backends.cpu.layout import images_first, images_last
from gpucnn.backends.cpu.memory import CpuMemory
from gpucnn.backends.memory import Array


def laid_out(backend: CpuMemory, x: Array, calls: Calls) -> Array:
    """`x` (n, ...) in the layout of the backend, see `CpuMemory`, copied if need be."""
    return images_first(contiguous(backend, images_last(x), calls))


def flattened(backend: CpuMemory, x: Array, calls: Calls) -> Array:
    """`x` (n, ...) as (n, elements), copied if need be."""
    if not images_last(x).flags.c_contiguous:
        x = contiguous(backend, x, calls)
    return x.reshape(len(x), -1)


def contiguous(backend: CpuMemory, x: Array, calls: Calls) -> Array:
    """A C-contiguous array, to which `x` is copied if it is not one itself."""
    if x.flags.c_contiguous:
        return x
    copy = backend.empty_local(x.shape, x.dtype)
    calls.add(np.copyto, copy, x)
    return copy
