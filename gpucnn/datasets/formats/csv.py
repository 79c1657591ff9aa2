"""Reading images from CSV files: a row an image, its label first, then its pixels."""

import re
from collections.abc import Iterator
from itertools import chain, islice
from math import isqrt
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidFileError, printable
from gpucnn.utils.storage.bounds import LARGEST_ARRAY

AT_ONCE = 2**17  # pixels that are read
LABEL = ("label", "class")  # names of the first column


def read_csv(path: Path, origin: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read images and labels from a CSV file, with or without a header.

    Args:
        path: the file, in UTF-8: in each row the label, then the pixels of a square image, whole
            numbers from 0 to 255. A header names the first column `label` or `class`.
        origin: the file's name in error messages.

    Returns:
        Images (n, side, side) and labels (n,), uint8.

    Raises:
        InvalidFileError: there is no such file, it is damaged, or has other columns.
        OSError: the file cannot be read.
    """
    if not path.is_file():
        raise InvalidFileError(f"there is no file {origin}: give a CSV file")
    if path.stat().st_size > LARGEST_ARRAY:
        raise InvalidFileError(
            f"{origin} has more than {LARGEST_ARRAY} bytes, the most that are read: give IDX files"
        )
    try:
        with path.open(encoding="utf-8-sig") as file:
            count = sum(1 for _ in _filled(file))
            file.seek(0)
            rows, side = _rows(file, origin)
            return _read_rows(rows, count, side, path.stat().st_size)
    except InvalidFileError:
        raise
    except (ValueError, OverflowError) as error:
        reason = str(error).partition(";")[0].rstrip(".")
        raise InvalidFileError(
            f"{origin} is not a CSV file of pixels ({printable(reason)}): give one with a label "
            "and pixels in each row, whole numbers from 0 to 255"
        ) from error


def _read_rows(
    rows: Iterator[str], most: int, side: int, file_size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The images and labels of rows, a few of which are read at a time.

    Args:
        rows: from the first that has pixels on.
        most: how many there may be.
        side: of an image, in pixels.
        file_size: in bytes, of which no more is taken than it can hold.

    Raises:
        ValueError: a row is not as it should be.
    """
    columns = 1 + side * side
    if 2 * most * columns > file_size + 1:  # a digit at least, and what separates it
        raise ValueError(f"the first row has {columns} columns, others have fewer")
    images, labels = np.empty((most, side, side), np.uint8), np.empty(most, np.uint8)
    count, rows_at_once = 0, max(1, AT_ONCE // columns)
    while some := list(islice(rows, rows_at_once)):
        try:
            values = np.loadtxt(some, np.uint8, delimiter=",", comments=None, ndmin=2)
        except ValueError as error:
            raise ValueError(_with_row(str(error), count)) from error
        if values.shape != (len(some), columns):
            raise ValueError(f"the first row has {columns} columns, others {values.shape[1]}")
        read = slice(count, count + len(some))
        labels[read], images[read] = values[:, 0], values[:, 1:].reshape(-1, side, side)
        count += len(some)
    return images[:count], labels[:count]


def _with_row(reason: str, before: int) -> str:
    """NumPy's reason with the number of a row of the file, where `before` are before its first."""
    return re.sub(r"\bat row (\d+)", lambda found: f"at row {int(found[1]) + before}", reason)


def _rows(file: TextIO, origin: str) -> tuple[Iterator[str], int]:
    """The rows without the header, and the number of pixels of a side."""
    first = next(_filled(file), "")
    columns = [each.strip(' \t\r\n"') for each in first.split(",")]
    has_header = not (_is_number(columns[0]) and _is_number(columns[-1]))
    side = isqrt(len(columns) - 1)
    if isqrt(len(columns)) ** 2 == len(columns) > 1:
        raise InvalidFileError(
            f"{origin} has {len(columns)} columns of pixels and no labels, as Kaggle's images to "
            "predict: give in its place images with labels, such as the last sixth of the "
            "training rows, moved to it with their header"
        )
    if side == 0 or side * side != len(columns) - 1:
        raise InvalidFileError(
            f"{origin} has {len(columns)} columns: give a label and the pixels of a square grey "
            "image in each row, separated by commas, 785 columns for 28 x 28; of images in "
            "colour an .npz file"
        )
    if has_header and columns[0].lower() not in LABEL:
        raise InvalidFileError(
            f"{origin} has {printable(columns[0])} for its first column: give the label first, "
            f"under the name {LABEL[0]}"
        )
    start = next(_filled(file), "") if has_header else first
    if not start:
        raise InvalidFileError(f"{origin} has no row of pixels: give one for each image")
    return chain([start], _filled(file)), side


def _filled(file: TextIO) -> Iterator[str]:
    return (line for line in file if line.strip())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
