"""EMNIST's ways: its images lie on their sides, mirrored, and its letters are counted from 1.

Source: G. Cohen, S. Afshar, J. Tapson, A. van Schaik: EMNIST, an extension of MNIST to handwritten
letters (2017). Its files have the pixels of an image column by column.
"""

import numpy as np

from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError

LETTERS = 26


def is_emnist(name: str) -> bool:
    """Whether a set of this name, such as emnist-digits, is one of EMNIST's."""
    return name.startswith("emnist")


def upright(part: Part, name: str, origin: str) -> Part:
    """A part of an EMNIST set with its images upright, and its labels from 0.

    Args:
        part: as its files have it.
        name: of the set.
        origin: where it is from.

    Raises:
        InvalidFileError: a label of emnist-letters is not from 1 to 26.
    """
    images, labels = part
    images = np.ascontiguousarray(images.swapaxes(1, 2))
    if "letters" not in name:
        return images, labels
    low, high = int(labels.min()), int(labels.max())
    if low < 1 or high > LETTERS:
        raise InvalidFileError(
            f"{origin}: {name} has labels from {low} to {high}: EMNIST's letters are 1 to {LETTERS}"
        )
    return images, labels - labels.dtype.type(1)
