"""Loading MNIST and datasets like it, in the formats in which people have them.

What is embedded in the package, in a folder, in a file or at an address is read and checked the
same way; only how a file is found differs.
"""

import os
from collections.abc import Callable
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from gpucnn.datasets.downloads.cache import SCHEMES, cache_folder, fetch, folder_address
from gpucnn.datasets.folder import ARCHIVE, NAMES, TABLES, Files, FoundSet, find_set, unread
from gpucnn.datasets.formats.csv import read_csv
from gpucnn.datasets.formats.emnist import is_emnist, upright
from gpucnn.datasets.formats.idx import Read, read_idx
from gpucnn.datasets.parts import Dataset, Part, as_images, as_labels, check_part, check_parts
from gpucnn.errors import InvalidFileError, InvalidTypeError
from gpucnn.utils.storage.npz import SUFFIX, read_npz

KERAS = ("x_train", "y_train", "x_test", "y_test")  # the arrays of mnist.npz
UNNAMED = ("arr_0",)  # the array of each of KMNIST's .npz files

Find: TypeAlias = Callable[[str, Read], NDArray[Any]]  # finds the file of a name, and reads it


def load_mnist(source: str | os.PathLike[str] | None = None) -> tuple[Part, Part]:
    """Load MNIST, or another dataset, as `load_dataset` does.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.
    """
    dataset = load_dataset(source)
    return dataset.train, dataset.test


def load_dataset(source: str | os.PathLike[str] | None = None) -> Dataset:
    """Load MNIST, or another dataset of grey images, in any of the formats of MNIST.

    Integer pixels from 0 to 255 are returned as uint8, whatever their type in the file.
    Floating-point pixels keep their type. Of QMNIST's labels the first column is used, the class.
    EMNIST's images, which its files have transposed, are returned upright, and its letters' labels
    from 0; it is known by the names of its files.

    Args:
        source: None for MNIST itself, which is embedded in the package; or a folder, see
            `find_set`, with four IDX files, plain or .gz, with an .npz file as Keras's or four as
            KMNIST's, or with two CSV files; or an .npz file as Keras's, of the arrays `x_train`,
            `y_train`, `x_test` and `y_test`; or the address, `http://`, `https://` or `file://`, of
            such an .npz file or of a folder with train-images-idx3-ubyte.gz,
            train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz,
            which are downloaded once and cached.

    Returns:
        Images of shape (n, height, width), uint8 or floating-point, and labels of shape (n,),
        integers, all C-contiguous.

    Raises:
        InvalidFileError: a file is missing, damaged or in another format, the files do not match
            one another, or a download failed.
        InvalidValueError: the address is not one of a folder.
        InvalidTypeError: `source` is not None, a string or a path.
        OSError: a file cannot be read.
    """
    if source is None:
        with as_file(files("gpucnn.datasets") / "mnist") as folder:
            return Dataset(*_read_folder(folder))
    if isinstance(source, str) and source.lower().startswith(SCHEMES):
        return Dataset(*_read_address(source))
    path = _existing(source)
    return Dataset(*(_read_archive(path, str(path)) if path.is_file() else _read_folder(path)))


def _existing(source: str | os.PathLike[str]) -> Path:
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidTypeError(f"source is {source!r}: give None, a folder or an address")
    path = Path(source)
    if path.is_file() and path.suffix.lower() != SUFFIX:
        advice = unread(path) or "is a file: give the folder that has it and the others of its set"
        raise InvalidFileError(f"{source} {advice}")
    if not path.exists():
        raise InvalidFileError(
            f"there is no folder {source}: give a folder of IDX files, "
            f"NumPy's .npz or CSV files, or an address that starts with {', '.join(SCHEMES)}"
        )
    if not path.is_file() and not path.is_dir():
        raise InvalidFileError(f"{source} is neither a file nor a folder: give a folder")
    return path


def _read_address(source: str) -> tuple[Part, Part]:
    address = folder_address(source)
    if source.lower().endswith(SUFFIX):
        above, _, name = source.rpartition("/")
        return fetch(f"{above}/", name, _read_archive)
    origin = f"{address} (kept in {cache_folder(address)}: remove it to download again)"
    return _read_four(origin, "", partial(_find_at_address, address))


def _find_at_address(address: str, name: str, read: Read) -> NDArray[Any]:
    return fetch(address, f"{name}.gz", read)


def _read_folder(folder: Path) -> tuple[Part, Part]:
    found = find_set(folder)
    if found.layout is ARCHIVE:
        path = found.files[ARCHIVE[0]]
        return _read_archive(path, str(path))
    if found.layout is TABLES:
        return _read_tables(str(folder), found)
    return _read_four(str(folder), found.name, partial(_find_in, found.files))


def _find_in(files: Files, name: str, read: Read) -> NDArray[Any]:
    return read(files[name], str(files[name]))


def _read_archive(path: Path, origin: str) -> tuple[Part, Part]:
    """Read a file such as Keras's mnist.npz."""
    arrays = list(read_npz(path, origin, KERAS).values())
    names = [f"{origin}: {name}" for name in KERAS]
    train = as_images(arrays[0], names[0]), as_labels(arrays[1], names[1])
    test = as_images(arrays[2], names[2]), as_labels(arrays[3], names[3])
    check_part(train, origin, KERAS[:2])
    check_part(test, origin, KERAS[2:])
    return check_parts(train, test, origin, KERAS[::2])


def _read_tables(origin: str, found: FoundSet) -> tuple[Part, Part]:
    """Read two CSV files, of training and of test images."""
    paths = [found.files[name] for name in TABLES]
    train, test = (_as_upright(read_csv(path, str(path)), found.name, origin) for path in paths)
    return check_parts(train, test, origin, (paths[0].name, paths[1].name))


def _read_four(origin: str, set_name: str, find: Find) -> tuple[Part, Part]:
    """Read four files, each of one array."""
    train = find(NAMES[0], _read_images), find(NAMES[1], _read_labels)
    check_part(train, origin, NAMES[:2])
    test = find(NAMES[2], _read_images), find(NAMES[3], _read_labels)
    check_part(test, origin, NAMES[2:])
    train, test = (_as_upright(part, set_name, origin) for part in (train, test))
    return check_parts(train, test, origin, NAMES[::2])


def _as_upright(part: Part, set_name: str, origin: str) -> Part:
    return upright(part, set_name, origin) if is_emnist(set_name) else part


def _read_images(path: Path, origin: str) -> NDArray[Any]:
    return as_images(_read_array(path, origin, (3,)), origin)


def _read_labels(path: Path, origin: str) -> NDArray[Any]:
    return as_labels(_read_array(path, origin, (1, 2)), origin)


def _read_array(path: Path, origin: str, dimensions: tuple[int, ...]) -> NDArray[Any]:
    if path.suffix.lower() == SUFFIX:
        (array,) = read_npz(path, origin, UNNAMED).values()
        return array
    return read_idx(path, origin, dimensions)
