"""Weights as NumPy's `.npz`, by the names of the weights."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidFileError, printable
from gpucnn.utils.storage.damage import DAMAGE

SUFFIX = ".npz"


def to_npz(weights: dict[str, NDArray[Any]]) -> bytes:
    """The content of a file that `numpy.load` reads: an array for each weight, by its name."""
    content = BytesIO()
    arrays: dict[str, Any] = dict(weights)
    np.savez(content, **arrays)
    return content.getvalue()


def from_npz(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of a file by name; nothing in it is executed.

    Raises:
        InvalidFileError: there is no such file, or it is not NumPy's.
    """
    try:
        with Path(path).open("rb") as file:  # which NumPy leaves open where it is no archive
            opened = np.load(file, allow_pickle=False)
            if isinstance(opened, np.ndarray):
                raise ValueError("it is a single array")
            return dict(opened)
    except FileNotFoundError:
        raise InvalidFileError(f"there is no file {path}") from None
    except DAMAGE as error:
        raise InvalidFileError(
            f"{path} is not NumPy's .npz of numbers ({printable(str(error))}): give one that "
            "save_weights or numpy.savez has written"
        ) from error
