"""Scratch memory that is kept from call to call."""

from collections.abc import Callable
from math import prod
from typing import Any

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
        self._views: dict[tuple[str, tuple[int, ...], DTypeLike], Array] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """The memory of that name, as an array of `shape` and `dtype`."""
        key = (name, shape, dtype)  # of a view, which takes longer to make than a small operation
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = self._view(name, shape, np.dtype(dtype))
        return view

    def _view(self, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
        size = prod(shape) * dtype.itemsize
        memory = self._memory.get(name)
        if memory is None or memory.nbytes < size:
            self._views.clear()
            memory = self._memory[name] = self._allocate(size)
        return memory[:size].view(dtype).reshape(shape)
