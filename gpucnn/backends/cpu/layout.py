"""Views of the CPU's arrays, which are stored with images innermost."""

import numpy as np

from gpucnn.backends.memory import Array, Order, Shape

LONGEST = 48
"""Values of a run that is copied as one element; at 64 a training step is no faster for it."""


def images_last(array: Array) -> Array:
    """View (n, ...) as (..., n)."""
    return array.transpose(*range(1, array.ndim), 0)


def images_first(array: Array) -> Array:
    """View (..., n) as (n, ...)."""
    return array.transpose(-1, *range(array.ndim - 1))


def images_innermost(memory: Array, shape: Shape) -> Array:
    """View flat memory as an array of a shape (n, ...), which lies there as (..., n)."""
    return images_first(memory.reshape(*shape[1:], shape[0]))


def in_order(memory: Array, shape: Shape, order: Order) -> Array:
    """View flat memory as an array of a shape (n, ...), see `CpuMemory.batch_view`."""
    if order == "F":
        return memory.reshape(*shape[:0:-1], shape[0]).T
    if order == "channels":
        images, height, width, channels = shape
        return memory.reshape(height, width, images, channels).transpose(2, 0, 1, 3)
    return images_innermost(memory, shape)


def filters_first(images: Array) -> Array:
    """View (n, rows, columns, filters) as (filters, positions, n)."""
    return images.reshape(len(images), -1, images.shape[3]).T


def matrix(kernel: Array) -> Array:
    """View a kernel (kh, kw, channels, filters) as (kh * kw * channels, filters)."""
    return kernel.reshape(-1, kernel.shape[-1])


def columns(array: Array) -> Array:
    """View a contiguous array (m, ...) as a matrix (m, columns)."""
    return array.reshape(len(array), -1)


def runs(*arrays: Array) -> tuple[Array, ...]:
    """View arrays (..., n) as arrays (...) whose elements are runs of n values, for copies.

    NumPy starts a loop for every run of values, but copies a single element at once: eight times
    as fast for runs of two images, twice for 16. Of long runs it copies the values as fast.

    Args:
        arrays: arrays of one dtype and one length n. They are returned unchanged if n is 1 or above
            `LONGEST`, or if the runs of any of them are not contiguous.
    """
    length = arrays[0].shape[-1]
    is_short = 1 < length <= LONGEST
    if not is_short or any(each.strides[-1] != each.itemsize for each in arrays):
        return arrays
    return as_elements(*arrays)


def as_elements(*arrays: Array) -> tuple[Array, ...]:
    """View arrays (..., n), whose runs of n values are contiguous, as `runs`, however long."""
    run = np.dtype((np.void, arrays[0].shape[-1] * arrays[0].itemsize))
    return tuple(each.view(run)[..., 0] for each in arrays)


def copy_runs(source: Array, out: Array) -> None:
    """Copy `source` (..., n) to `out`, of the same shape and dtype, as `runs`."""
    source, out = runs(source, out)
    np.copyto(out, source)
