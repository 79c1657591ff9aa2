"""IDX files for tests, written independently of the code under test."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


CODES = {"uint8": 8, "int8": 9, "int16": 0xB, "int32": 0xC, "float32": 0xD, "float64": 0xE}


def idx_bytes(array: NDArray[Any]) -> bytes:
    header = idx_header(*array.shape, code=CODES[array.dtype.name])
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def idx_header(*sizes: int, code: int = 8) -> bytes:
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def small_set() -> dict[str, NDArray[Any]]:
    """Three training images of 4 x 5 and two test images, with their labels, by file name."""
    generator = np.random.default_rng(1)
    arrays = [
        generator.integers(0, 256, (3, 4, 5), np.uint8),
        np.array([7, 0, 9], np.uint8),
        generator.integers(0, 256, (2, 4, 5), np.uint8),
        np.array([1, 2], np.uint8),
    ]
    return dict(zip(NAMES, arrays, strict=True))


def write_set(folder: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a set as plain files."""
    for name, array in arrays.items():
        (folder / name).write_bytes(idx_bytes(array))


def write_gzip_set(folder: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a set as .gz files."""
    for name, array in arrays.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
