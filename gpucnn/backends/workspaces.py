"""Scratch memory that is kept from call to call."""

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from gpucnn.backends.base import Array


class Workspaces:
    """Memory by name, each piece grown to the largest size that was asked for.

    Args:
        allocate: gives so many bytes, a uint8 array.
    """

    def __init__(self, allocate: Callable[[int], Array]) -> None:
        self._allocate = allocate
        self._memory: dict[str, Array] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """The memory of that name, as an array of `shape` and `dtype`."""
        size = prod(shape) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or memory.nbytes < size:
            memory = self._memory[name] = self._allocate(size)
        return memory[:size].view(dtype).reshape(shape)
