"""Loading MNIST and datasets in its format, four IDX files each.

The files are embedded in the package, in a folder or at an address. They are read and checked the
same way; only how a file is found by its name differs.
"""

import os
from collections.abc import Callable
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.cache import SCHEMES, cache_folder, fetch, folder_address
from gpucnn.datasets.folder import find_files
from gpucnn.datasets.idx import Read, read_idx
from gpucnn.errors import InvalidFileError, InvalidTypeError

QMNIST_COLUMNS = 8  # of its labels: the class, then NIST's series, writer and others

Part: TypeAlias = tuple[NDArray[Any], NDArray[Any]]  # images and their labels
Find: TypeAlias = Callable[[str, Read], NDArray[Any]]  # finds the file of a name, and reads it


def load_mnist(source: str | os.PathLike[str] | None = None) -> tuple[Part, Part]:
    """Load MNIST, or another dataset in MNIST's file format.

    Integer pixels from 0 to 255 are returned as uint8, whatever their type in the file.
    Floating-point pixels keep their type. Of QMNIST's labels the first column is used, the class.

    Args:
        source: None for MNIST itself, which is embedded in the package; a folder with the files
            train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte, each plain or .gz, directly or in raw/, under these names or
            common variants of them (see `find_files`); or the address, `http://`, `https://` or
            `file://`, of a folder with the .gz files, which are downloaded once and cached.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape (n, height, width), uint8 or
        floating-point, and labels of shape (n,), integers, all C-contiguous.

    Raises:
        InvalidFileError: a file is missing, damaged or in another format, the files do not match
            one another, or a download failed.
        InvalidValueError: the address is not one of a folder.
        InvalidTypeError: `source` is not None, a string or a path.
        OSError: a file cannot be read.
    """
    if source is None:
        with as_file(files("gpucnn.datasets") / "mnist") as folder:
            return _read_set(str(folder), _in_folder(folder))
    if isinstance(source, str) and source.lower().startswith(SCHEMES):
        address = folder_address(source)
        origin = f"{address} (kept in {cache_folder(address)}: remove it to download again)"
        return _read_set(origin, partial(_find_at_address, address))
    return _read_set(str(source), _in_folder(_existing_folder(source)))


def _existing_folder(source: str | os.PathLike[str]) -> Path:
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidTypeError(f"source is {source!r}: give None, a folder or an address")
    folder = Path(source)
    if folder.is_file():
        raise InvalidFileError(f"{source} is a file: give the folder that has the four IDX files")
    if not folder.is_dir():
        raise InvalidFileError(
            f"there is no folder {source}: give a folder of IDX files, "
            f"or an address that starts with {', '.join(SCHEMES)}"
        )
    return folder


def _in_folder(folder: Path) -> Find:
    paths = find_files(folder)
    return lambda name, read: read(paths[name], str(paths[name]))


def _find_at_address(address: str, name: str, read: Read) -> NDArray[Any]:
    return fetch(address, f"{name}.gz", read)


def _read_set(origin: str, find: Find) -> tuple[Part, Part]:
    train = _read_part(origin, find, "train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    test = _read_part(origin, find, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    (_, *train_size), (_, *test_size) = train[0].shape, test[0].shape
    if train_size != test_size:
        raise InvalidFileError(
            f"{origin}: train-images-idx3-ubyte has images of {_times(train_size)}, "
            f"t10k-images-idx3-ubyte of {_times(test_size)}: give a set of one size"
        )
    if train[0].dtype != test[0].dtype:
        raise InvalidFileError(
            f"{origin}: train-images-idx3-ubyte has pixels of {train[0].dtype}, "
            f"t10k-images-idx3-ubyte of {test[0].dtype}: give a set of one type"
        )
    return train, test


def _read_part(origin: str, find: Find, images_name: str, labels_name: str) -> Part:
    images = find(images_name, _read_images)
    labels = find(labels_name, _read_labels)
    if len(images) != len(labels):
        raise InvalidFileError(
            f"{origin}: {images_name} has {len(images)} images, {labels_name} has {len(labels)} "
            "labels: give files with one label for each image"
        )
    return images, labels


def _read_images(path: Path, origin: str) -> NDArray[Any]:
    images = read_idx(path, origin, dimensions=(3,))
    if images.dtype == np.uint8 or np.issubdtype(images.dtype, np.floating):
        return images
    low, high = int(images.min()), int(images.max())
    if low < 0 or high > 255:
        raise InvalidFileError(
            f"{origin} has pixels of {images.dtype} from {low} to {high}: give whole numbers from "
            "0 to 255, or floating-point numbers"
        )
    return images.astype(np.uint8)


def _read_labels(path: Path, origin: str) -> NDArray[Any]:
    labels = read_idx(path, origin, dimensions=(1, 2))
    if not np.issubdtype(labels.dtype, np.integer):
        raise InvalidFileError(f"{origin} has labels of {labels.dtype}: give whole numbers")
    if labels.ndim == 1:
        return labels
    if labels.shape[1] != QMNIST_COLUMNS:
        raise InvalidFileError(
            f"{origin} has labels of {labels.shape[1]} columns: give one column, or the "
            f"{QMNIST_COLUMNS} of QMNIST, of which the first is the class"
        )
    return np.ascontiguousarray(labels[:, 0])


def _times(sizes: list[int]) -> str:
    return " x ".join(map(str, sizes))
