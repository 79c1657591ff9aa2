"""Arrays of images, rearranged in the memory that they are kept in."""

from typing import Any

from numpy.typing import NDArray

AT_ONCE = 1024  # images, of which a copy is made


def rearranged(images: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    """Transpose images in their own memory, a few at a time.

    Args:
        images: (n, ...), C-contiguous; the memory is overwritten.
        axes: as of `numpy.transpose`; the first stays the first. (0, 2, 3, 1) is of colours in
            planes to colours in pixels.

    Returns:
        The images as transposed, C-contiguous, in the memory of those given.
    """
    result = images.reshape(tuple(images.shape[axis] for axis in axes))
    for first in range(0, len(images), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        result[some] = images[some].copy().transpose(axes)
    return result
