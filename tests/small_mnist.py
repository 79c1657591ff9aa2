"""The first images of MNIST, as arrays and as a folder of IDX files, for tests that train."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpucnn import load_mnist

Labelled = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def small_mnist(train: int, test: int) -> tuple[Labelled, Labelled]:
    (x_train, y_train), (x_test, y_test) = load_mnist()
    return (x_train[:train], y_train[:train]), (x_test[:test], y_test[:test])


def write_small_mnist(folder: Path, train: int, test: int) -> Path:
    for name, (images, labels) in zip(("train", "t10k"), small_mnist(train, test), strict=True):
        write_idx(folder / f"{name}-images-idx3-ubyte", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", labels)
    return folder


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())
