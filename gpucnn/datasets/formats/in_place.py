"""Arrays of images, rearranged and joined in the memory that they are kept in."""

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


def without_first(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows (n, columns) without their first column, in their own memory, a few at a time.

    Args:
        rows: C-contiguous; it owns its memory, which is overwritten.
    """
    count, columns = rows.shape
    flat = rows.reshape(-1)
    for first in range(0, count, AT_ONCE):
        some = rows[first : first + AT_ONCE, 1:].copy()
        flat[first * (columns - 1) :][: some.size] = some.reshape(-1)
    return flat[: count * (columns - 1)].reshape(count, columns - 1)


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
