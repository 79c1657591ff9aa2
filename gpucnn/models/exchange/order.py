"""The order of the elements of a flattened image, here and where channels come first."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Shape


def channels_first_order(shape: Shape) -> NDArray[np.int64] | None:
    """The elements of an image in the order in which it is flattened where channels come first.

    Args:
        shape: of the image, (rows, columns, channels), or of more or fewer axes before the last.

    Returns:
        int64 (elements,), each by its place in the vector that `Flatten` makes here; None where
        that is the same order.
    """
    places = np.arange(prod(shape), dtype=np.int64).reshape(shape)
    order = np.moveaxis(places, -1, 0).ravel()
    return None if (np.diff(order) == 1).all() else order
