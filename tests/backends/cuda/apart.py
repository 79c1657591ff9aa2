"""A simulator whose arrays are not NumPy's, and belong to a device that has to be the current one.

On the plain simulator an operation of NumPy on a device's array would go unnoticed, and fail on a
GPU. Here it fails as well: an array has the few methods that code for every device may use. What
touches memory fails outside of `active`, where a GPU would not be the current device if it is not
the first one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime

_here = threading.local()  # entered: how many contexts of `active` this thread is in


def _touch() -> None:
    if not getattr(_here, "entered", 0):
        raise RuntimeError("the memory of a device is used where the device may not be current")


class Apart:
    """An array that only the simulator reads."""

    __array_ufunc__ = None  # so that NumPy's arrays refuse to compute with it

    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values
        self.shape, self.dtype, self.size = values.shape, values.dtype, values.size
        self.ndim, self.nbytes, self.flags = values.ndim, values.nbytes, values.flags

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise TypeError("an array of a device was used as one of the host")

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> "Apart":
        return Apart(self._values[index])

    def __setitem__(self, index: Any, values: "Apart | float") -> None:
        _touch()
        self._values[index] = values._values if isinstance(values, Apart) else float(values)

    def reshape(self, *shape: Any) -> "Apart":
        return Apart(self._values.reshape(*shape))

    def view(self, dtype: DTypeLike) -> "Apart":
        return Apart(self._values.view(dtype))

    def __iadd__(self, other: "Apart") -> "Apart":
        _touch()
        self._values += other._values
        return self

    def fill(self, value: float) -> None:
        _touch()
        self._values.fill(value)


def _asarray(array: Any, dtype: DTypeLike | None = None) -> Apart:
    values = array._values if isinstance(array, Apart) else np.array(array)
    return _new(np.asarray(values, dtype))


def _new(values: NDArray[Any]) -> Apart:
    _touch()
    return Apart(values)


class ApartSimulatorRuntime(SimulatorRuntime):
    """The simulator as a device whose memory is its own."""

    xp = SimpleNamespace(
        ndarray=Apart,
        asarray=_asarray,
    )

    @contextmanager
    def active(self) -> Iterator[None]:
        _here.entered = getattr(_here, "entered", 0) + 1
        try:
            yield
        finally:
            _here.entered -= 1

    def load(self, source: str, options: tuple[str, ...]) -> Any:
        return _Module(super().load(source, options))

    def holds(self, array: Any) -> bool:
        return isinstance(array, Apart)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        return _new(super().empty(shape, dtype))

    def to_device(self, array: Any, dtype: DTypeLike | None) -> Any:
        values = array._values if isinstance(array, Apart) else np.asarray(array)
        out = self.empty(values.shape, dtype or values.dtype)
        out._values[...] = values
        return out

    def to_host(self, array: Any) -> NDArray[Any]:
        assert isinstance(array, Apart)
        _touch()
        return np.array(array._values)


class _Module:
    def __init__(self, module: Any) -> None:
        self._module = module

    def get_function(self, name: str) -> Any:
        kernel = self._module.get_function(name)

        def launch(grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
            _touch()
            kernel(grid, block, tuple(a._values if isinstance(a, Apart) else a for a in args))

        return launch
