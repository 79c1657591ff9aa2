"""MNIST and sets like it: the four IDX files of a set, where they come from, how they fit together.

The files that come with the package, those of a folder and those of an address are read the same
way: what differs is how a file is found by its name.
"""

import os
from collections.abc import Callable
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeAlias

import numpy as np

from gpucnn.data.cache import SCHEMES, cache_folder, fetch, folder_address
from gpucnn.data.idx import ByteArray, Read, read_idx
from gpucnn.errors import InvalidFileError, InvalidTypeError

CLASSES = 10

Part: TypeAlias = tuple[ByteArray, ByteArray]  # images and their labels
Find: TypeAlias = Callable[[str, Read], ByteArray]  # reads the file of that name, wherever it is


def load_mnist(source: str | os.PathLike[str] | None = None) -> tuple[Part, Part]:
    """MNIST, or a set of images that comes in files like MNIST's.

    Args:
        source: None for MNIST itself, which comes with the package; a folder that has the files
            train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte, each plain or .gz; or the http://, https:// or file:// address
            of a folder that has them as .gz. What is downloaded is kept for the next time.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape (n, height, width) and labels of
        shape (n,) from 0 to 9, all uint8 and C-contiguous.

    Raises:
        InvalidFileError: a file is missing, damaged or not what it should be, files do not fit
            together, or a download failed.
        InvalidValueError: the address is not one of a folder.
        InvalidTypeError: `source` is something else.
        OSError: a file cannot be read.
    """
    if source is None:
        with as_file(files("gpucnn.data") / "mnist") as folder:
            return _read_set(str(folder), partial(_find_in_folder, folder))
    if isinstance(source, str) and source.lower().startswith(SCHEMES):
        address = folder_address(source)
        origin = f"{address} (kept in {cache_folder(address)}: remove it to download again)"
        return _read_set(origin, partial(_find_at_address, address))
    return _read_set(str(source), partial(_find_in_folder, _existing_folder(source)))


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


def _find_in_folder(folder: Path, name: str, read: Read) -> ByteArray:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return read(path, str(path))
    raise InvalidFileError(
        f"there is no {name}, plain or .gz, in {folder}: "
        "a set has images and labels of train and t10k, four files"
    )


def _find_at_address(address: str, name: str, read: Read) -> ByteArray:
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


def _read_images(path: Path, origin: str) -> ByteArray:
    return read_idx(path, origin, dimensions=3)


def _read_labels(path: Path, origin: str) -> ByteArray:
    labels = read_idx(path, origin, dimensions=1)
    outside = np.flatnonzero(labels >= CLASSES)
    if outside.size:
        first = outside[0]
        raise InvalidFileError(
            f"{origin} has the label {labels[first]} at index {first}: "
            f"give a file of labels from 0 to {CLASSES - 1}"
        )
    return labels


def _times(sizes: list[int]) -> str:
    return " x ".join(map(str, sizes))
