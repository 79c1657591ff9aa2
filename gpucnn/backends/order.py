"""Views of the CPU's arrays, whose images lie innermost in memory."""

from gpucnn.backends.base import Array


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
