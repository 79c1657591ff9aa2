"""Labels as rows of zeros and a one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.utils import arguments


def to_categorical(x: Any, num_classes: int | None = None) -> NDArray[np.float64]:
    """Turn classes into rows of zeros, with a 1 at the index of the class.

    Args:
        x: whole numbers of any shape, of at least 0; a last axis of length 1 is dropped.
        num_classes: the length of the rows; None for one more than the largest class.

    Returns:
        float64 `(*x.shape, num_classes)`.

    Raises:
        InvalidTypeError: `x` holds other than integers.
        InvalidValueError: a class is below 0, or not below `num_classes`.
    """
    classes: NDArray[Any] = np.asarray(x)
    if not np.issubdtype(classes.dtype, np.integer):
        raise InvalidTypeError(f"the classes are of dtype {classes.dtype}: give whole numbers")
    classes = classes.astype(np.int64)
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    most = int(classes.max(initial=-1))
    count = most + 1 if num_classes is None else num_classes
    arguments.non_negative_integer(count, "num_classes")
    if most >= count or classes.min(initial=0) < 0:
        wrong = most if most >= count else int(classes.min())
        raise InvalidValueError(f"{wrong} is not a class: give numbers from 0 to {count - 1}")
    rows = np.zeros((*classes.shape, count))
    np.put_along_axis(rows, classes[..., None], 1, axis=-1)
    return rows
