"""Views of the CPU's arrays, whose images lie innermost in memory."""

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from gpucnn.backends.memory import Array

T = TypeVar("T")


def images_last(array: Array) -> Array:
    """(n, ...) as (..., n), a view."""
    return array.transpose(*range(1, array.ndim), 0)


def images_first(array: Array) -> Array:
    """(..., n) as (n, ...), a view."""
    return array.transpose(-1, *range(array.ndim - 1))


def filters_first(images: Array) -> Array:
    """(n, rows, columns, filters) as (filters, positions, n), a view."""
    return images.reshape(len(images), -1, images.shape[3]).T


def matrix(kernel: Array) -> Array:
    """A kernel as a matrix (elements * channels, filters), a view."""
    return kernel.reshape(-1, kernel.shape[-1])


def columns(array: Array) -> Array:
    """A contiguous array as a matrix that keeps its first axis, a view."""
    return array.reshape(len(array), -1)


def runs(*arrays: Array) -> tuple[Array, ...]:
    """Arrays (..., n) as arrays (...) of runs of n numbers, to be copied; views.

    NumPy starts a loop for every run of numbers, but copies a run that is one element at once: for
    two images that is eight times as fast, for 64 still one and a half times.

    Args:
        arrays: of one dtype. Where one does not hold its runs contiguous, all are given as they
            are; and where a run is one number.
    """
    if arrays[0].shape[-1] == 1 or any(each.strides[-1] != each.itemsize for each in arrays):
        return arrays
    run = np.dtype((np.void, arrays[0].shape[-1] * arrays[0].itemsize))
    return tuple(each.view(run)[..., 0] for each in arrays)


def copy_runs(source: Array, out: Array) -> None:
    """Copy an array (..., n) of the dtype of `out`, see `runs`."""
    source, out = runs(source, out)
    np.copyto(out, source)


class LastView(Generic[T]):
    """Views that belong to the array it was last asked for, and keeps; made anew for another."""

    def __init__(self, make: Callable[[Array], T]) -> None:
        self._make = make
        self._array: Array | None = None
        self._views: T

    def __call__(self, array: Array) -> T:
        """Those of `array`."""
        if array is not self._array:
            self._array, self._views = array, self._make(array)
        return self._views
