"""Images whose colours lie one after the other, rearranged so that they lie pixel by pixel."""

from typing import Any

from numpy.typing import NDArray

AT_ONCE = 1024  # images, of which a copy is made


def to_pixels(planes: NDArray[Any], *, columns_first: bool = False) -> NDArray[Any]:
    """Rearrange images in their own memory, a few at a time.

    Args:
        planes: (n, channels, height, width), C-contiguous; its memory is overwritten.
        columns_first: whether it is (n, channels, width, height).

    Returns:
        (n, height, width, channels), C-contiguous, in the memory of `planes`.
    """
    axes = (0, 3, 2, 1) if columns_first else (0, 2, 3, 1)
    shape = tuple(planes.shape[axis] for axis in axes)
    images = planes.reshape(shape)
    for first in range(0, len(planes), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        images[some] = planes[some].copy().transpose(axes)
    return images


def joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """One array of all, along the first axis; each is given up as soon as it is copied.

    The first one grows in place, so that it takes the memory of all and of one more at most, where
    `numpy.concatenate` takes twice that of all.

    Args:
        arrays: of one dtype and shape but for the first axis; each owns its memory, which nothing
            else refers to. The list is emptied.
    """
    arrays.reverse()
    whole = arrays.pop()
    while arrays:
        more = arrays.pop()
        whole.resize((len(whole) + len(more), *whole.shape[1:]), refcheck=False)
        whole[len(whole) - len(more) :] = more
    return whole
