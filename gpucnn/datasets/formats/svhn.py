"""SVHN's cropped digits, in MATLAB's files, which SciPy reads.

Source: Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng: Reading Digits in Natural
Images with Unsupervised Feature Learning (2011). A file has the images `X` (32, 32, 3, n), and the
labels `y` (n, 1), of which 10 is the digit 0.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.formats.in_place import rearranged
from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError, MissingExtraError, printable
from gpucnn.utils.storage.bounds import DEFLATE_RATIO, LARGEST_ARRAY
from gpucnn.utils.storage.damage import DAMAGE

HEADER = 128  # bytes
VERSIONS = {b"\x00\x01IM": 5, b"\x01\x00MI": 5, b"\x00\x02IM": 7.3, b"\x02\x00MI": 7.3}
"""Of MATLAB, by the end of the header: its number, and the order of bytes."""
HDF5 = b"\x89HDF"  # the start of a file of version 7.3 that has no header of MATLAB's

ZERO = 10  # the label of the digit 0
IMAGE = (32, 32, 3)


def read_svhn(path: Path, origin: str) -> Part:
    """Read the images and labels of train_32x32.mat, test_32x32.mat or extra_32x32.mat.

    Args:
        path: of the file.
        origin: its name in error messages.

    Returns:
        Images (n, 32, 32, 3) and labels (n,), from 0 to 9, uint8.

    Raises:
        InvalidFileError: there is no such file, it is damaged, or has other variables.
        MissingExtraError: SciPy is not installed.
        OSError: the file cannot be opened.
    """
    if not path.is_file():
        raise InvalidFileError(f"there is no file {origin}: give one of SVHN's .mat")
    _check_version(path, origin)
    try:
        from scipy import io
        from scipy.io.matlab import MatReadError
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading SVHN's .mat files", error.name, "svhn") from None
    try:
        with path.open("rb") as file:
            _check_variables(io.whosmat(file), path.stat().st_size)
            file.seek(0)
            variables = io.loadmat(file, variable_names=("X", "y"))
        return _images(variables["X"]), _digits(variables["y"])
    except (*DAMAGE, MatReadError, UserWarning) as error:  # a warning that is made an error too
        raise InvalidFileError(
            f"{origin} is not SVHN's .mat of cropped digits ({printable(error, 100)}): give "
            "train_32x32.mat or test_32x32.mat, or another copy"
        ) from error


def _check_version(path: Path, origin: str) -> None:
    with path.open("rb") as file:
        header = file.read(HEADER)
    version = 7.3 if header.startswith(HDF5) else VERSIONS.get(header[-4:])
    if version == 7.3:
        raise InvalidFileError(
            f"{origin} is of MATLAB's version 7.3, which is not read: save it as version 7, or "
            "give SVHN's own file"
        )
    if version is None or len(header) < HEADER:
        raise InvalidFileError(f"{origin} is not MATLAB's, of version 5 or 7: give SVHN's own file")


def _check_variables(variables: Any, file_size: int) -> None:
    """Check what the file says that it holds: name, shape and type of each.

    Raises:
        ValueError: they are not SVHN's, or more than the file can hold.
    """
    shapes = {name: tuple(shape) for name, shape, kind in variables if kind == "uint8"}
    images, labels = shapes.get("X", ()), shapes.get("y", ())
    if images[:-1] != IMAGE or labels != (images[-1], 1):
        listed = ", ".join(f"{name} {kind} {tuple(shape)}" for name, shape, kind in variables)
        raise ValueError(f"it has {listed or 'nothing'}, not X uint8 (32, 32, 3, n) and y (n, 1)")
    size = int(np.prod(IMAGE)) * images[-1]
    if not 0 < size <= min(LARGEST_ARRAY, file_size * DEFLATE_RATIO):
        raise ValueError(f"it says that it holds {size} bytes")


def _images(stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (n, 32, 32, 3), of images (32, 32, 3, n) whose first axis is innermost in memory."""
    columns = np.require(stored.T, requirements=("C", "W"))  # (n, 3, width, height)
    return rearranged(columns, (0, 3, 2, 1))


def _digits(stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
    labels = stored[:, 0]
    if labels.max() > ZERO:
        raise ValueError(f"it has a label {labels.max()}, of digits from 1 to {ZERO}")
    return labels % np.uint8(ZERO)
