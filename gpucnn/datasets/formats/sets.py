"""Datasets of the files that were found, by how they lie."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from gpucnn.datasets.folder import (
    ARRAYS,
    CIFAR10,
    CIFAR10_ARCHIVE,
    CIFAR100,
    CIFAR100_ARCHIVE,
    NAMES,
    SVHN,
    TABLES,
    ZIPPED,
    FoundSet,
)
from gpucnn.datasets.formats.archive import Entry, archived, blaming
from gpucnn.datasets.formats.cifar import is_cifar, read_cifar
from gpucnn.datasets.formats.csv import read_csv
from gpucnn.datasets.formats.emnist import class_names, is_emnist, read_zipped, upright
from gpucnn.datasets.formats.idx import read_idx
from gpucnn.datasets.formats.svhn import read_svhn
from gpucnn.datasets.parts import Dataset, Part, as_images, as_labels, check_part, check_parts
from gpucnn.utils.storage.npz import SUFFIX, read_npz

KERAS = ("x_train", "y_train", "x_test", "y_test")  # the arrays of mnist.npz
UNNAMED = ("arr_0",)  # the array of each of KMNIST's .npz files

Find: TypeAlias = Callable[[str], NDArray[Any]]  # finds the file of a name, and reads it


def read_set(found: FoundSet, origin: str, labels: str | None = None) -> Dataset:
    """Read the dataset of files that were found.

    Args:
        found: the files, in any of the layouts.
        origin: where they are, in error messages.
        labels: which of CIFAR's, see `read_cifar`.

    Raises:
        InvalidFileError: a file is damaged, or they do not match one another.
        MissingExtraError: a package is not installed that reads them.
        OSError: a file cannot be read.
    """
    files = found.files
    first = files[found.layout[0]]
    if found.layout is ARRAYS:
        return read_arrays(first, str(first))
    if found.layout is TABLES:
        return _read_tables(origin, found)
    if found.layout is SVHN:
        return read_digits(origin, lambda name: read_svhn(files[name], str(files[name])))
    if found.layout is ZIPPED:
        return read_emnist_zip(first, str(first), found.name)
    if found.layout in (CIFAR10_ARCHIVE, CIFAR100_ARCHIVE):
        return read_cifar_archive(first, str(first), labels)
    if found.layout in (CIFAR10, CIFAR100):
        usual = "labels" if found.layout is CIFAR10 else "fine_labels"
        return Dataset(*read_cifar(_cifar_in(found), origin, labels or usual))
    names = class_names(first.parent, found.name) if is_emnist(found.name) else None
    return read_four(origin, found.name, lambda name: read_one(name, files[name]), names)


def read_four(
    origin: str, set_name: str, find: Find, class_names: tuple[str, ...] | None = None
) -> Dataset:
    """Read four files, each of one array.

    Args:
        origin: where they are, in error messages.
        set_name: what their names start with, or "".
        find: reads the file of each of `NAMES`, as `read_one`.
        class_names: those of the dataset.

    Raises:
        InvalidFileError: a file is damaged, or they do not match one another.
        OSError: a file cannot be read.
    """
    train = find(NAMES[0]), find(NAMES[1])
    check_part(train, origin, NAMES[:2])
    test = find(NAMES[2]), find(NAMES[3])
    check_part(test, origin, NAMES[2:])
    train, test = (_as_upright(part, set_name, origin) for part in (train, test))
    return Dataset(*check_parts(train, test, origin, NAMES[::2]), class_names)


def read_one(name: str, path: Path, origin: str | None = None) -> NDArray[Any]:
    """Read one of the four, that of a name, in IDX or .npz; images or labels as it says."""
    origin = origin or str(path)
    if path.suffix.lower() == SUFFIX:
        (array,) = read_npz(path, origin, UNNAMED).values()
    else:
        array = read_idx(path, origin, (3, 4) if "images" in name else (1, 2))
    return _as_content(name, array, origin)


def _as_content(name: str, array: NDArray[Any], origin: str) -> NDArray[Any]:
    return as_images(array, origin) if "images" in name else as_labels(array, origin)


def read_emnist_zip(path: Path, origin: str, set_name: str) -> Dataset:
    """Read a set, such as emnist-letters, of EMNIST's gzip.zip."""
    arrays, names = read_zipped(path, origin, set_name, NAMES)
    found = dict(zip(NAMES, arrays, strict=True))
    return read_four(origin, set_name, lambda name: _as_content(name, found[name], origin), names)


def read_arrays(path: Path, origin: str) -> Dataset:
    """Read a file such as Keras's mnist.npz."""
    arrays = list(read_npz(path, origin, KERAS).values())
    names = [f"{origin}: {name}" for name in KERAS]
    train = as_images(arrays[0], names[0]), as_labels(arrays[1], names[1])
    test = as_images(arrays[2], names[2]), as_labels(arrays[3], names[3])
    check_part(train, origin, KERAS[:2])
    check_part(test, origin, KERAS[2:])
    return Dataset(*check_parts(train, test, origin, KERAS[::2]))


def read_cifar_archive(path: Path, origin: str, labels: str | None = None) -> Dataset:
    """Read a file such as cifar-10-python.tar.gz."""
    with blaming(origin):
        return Dataset(*read_cifar(archived(path, origin, is_cifar), origin, labels))


def read_digits(origin: str, read: Callable[[str], Part]) -> Dataset:
    """Read SVHN's two files, of which `read` reads that of a name."""
    train, test = map(read, SVHN)
    return Dataset(*check_parts(train, test, origin, SVHN))


def _read_tables(origin: str, found: FoundSet) -> Dataset:
    """Read two CSV files, of training and of test images."""
    paths = [found.files[name] for name in TABLES]
    train, test = (_as_upright(read_csv(path, str(path)), found.name, origin) for path in paths)
    return Dataset(*check_parts(train, test, origin, (paths[0].name, paths[1].name)))


def _cifar_in(found: FoundSet) -> Iterator[Entry]:
    """The files of one of CIFAR's sets in a folder, and those with the names of its classes."""
    paths = list(found.files.values())
    paths += sorted(
        each
        for each in paths[0].parent.iterdir()
        if is_cifar(each.name) and each.stem not in found.layout and each.is_file()
    )
    for path in paths:
        with path.open("rb") as file:
            yield Entry(path.name, str(path), path.stat().st_size, file)


def _as_upright(part: Part, set_name: str, origin: str) -> Part:
    return upright(part, set_name, origin) if is_emnist(set_name) else part
