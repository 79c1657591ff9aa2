"""IDX files to test with, written here without the code under test."""

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    return idx_header(*array.shape) + array.tobytes()


def idx_header(*sizes: int) -> bytes:
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def small_set() -> dict[str, NDArray[np.uint8]]:
    """Three training images of 4 x 5 and two test images, with their labels, by file name."""
    generator = np.random.default_rng(1)
    arrays = [
        generator.integers(0, 256, (3, 4, 5), np.uint8),
        np.array([7, 0, 9], np.uint8),
        generator.integers(0, 256, (2, 4, 5), np.uint8),
        np.array([1, 2], np.uint8),
    ]
    return dict(zip(NAMES, arrays, strict=True))


def write_set(folder: Path, arrays: dict[str, NDArray[np.uint8]]) -> None:
    """Write a set as plain files."""
    for name, array in arrays.items():
        (folder / name).write_bytes(idx_bytes(array))


def write_gzip_set(folder: Path, arrays: dict[str, NDArray[np.uint8]]) -> None:
    """Write a set as .gz files."""
    for name, array in arrays.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
