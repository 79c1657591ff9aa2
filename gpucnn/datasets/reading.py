"""Reading datasets from folders, files and addresses, in any of their formats."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gpucnn.datasets.downloads.cache import SCHEMES, cache_folder, fetch, folder_address
from gpucnn.datasets.downloads.published import PUBLISHED
from gpucnn.datasets.folder import (
    ARRAYS,
    CIFAR10,
    CIFAR10_ARCHIVE,
    CIFAR100,
    CIFAR100_ARCHIVE,
    LAYOUTS,
    NAMES,
    SVHN,
    ZIPPED,
    Layout,
    find_set,
    unread,
)
from gpucnn.datasets.formats.archive import is_archive
from gpucnn.datasets.formats.emnist import file_name, is_emnist
from gpucnn.datasets.formats.sets import (
    read_arrays,
    read_cifar_archive,
    read_digits,
    read_emnist_zip,
    read_four,
    read_one,
    read_set,
)
from gpucnn.datasets.formats.svhn import read_svhn
from gpucnn.datasets.parts import Dataset
from gpucnn.errors import InvalidFileError, InvalidTypeError
from gpucnn.utils.storage.npz import SUFFIX

ZIP = ".zip"


@dataclass(frozen=True)
class Wanted:
    """Which dataset is asked for, where a source may have several.

    Attributes:
        layouts: how its files may lie.
        set_name: what their names start with, such as "emnist-letters"; None for any.
        labels: which of CIFAR's are asked for, "labels", "fine_labels" or "coarse_labels"; None
            for CIFAR-10's or CIFAR-100's fine ones.
    """

    layouts: Sequence[Layout] = LAYOUTS
    set_name: str | None = None
    labels: str | None = None


ANY = Wanted()
WANTED = {
    "emnist": Wanted((NAMES, ZIPPED), "emnist-balanced"),
    "cifar10": Wanted((CIFAR10, CIFAR10_ARCHIVE, ARRAYS), labels="labels"),
    "cifar100": Wanted((CIFAR100, CIFAR100_ARCHIVE, ARRAYS), labels="fine_labels"),
    "svhn": Wanted((SVHN, ARRAYS)),
}
"""By the names of published datasets, where it is not any."""


def load_wanted(source: str | os.PathLike[str], wanted: Wanted = ANY) -> Dataset:
    """Load the dataset that is wanted from a folder, a file or an address; as `load_dataset`."""
    if isinstance(source, str) and source.lower().startswith(SCHEMES):
        return _read_address(source, wanted)
    path = _existing(source, wanted)
    reader = _reader_of(path.name, wanted)
    if reader and path.is_file():
        return reader(path, str(path))
    found = find_set(path, wanted.layouts, wanted.set_name)
    return read_set(found, str(path), wanted.labels)


def _existing(source: str | os.PathLike[str], wanted: Wanted) -> Path:
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidTypeError(f"source is {source!r}: give None, a folder or an address")
    path = Path(source)
    if path.is_file() and not _reader_of(path.name, wanted):
        advice = unread(path) or "is a file: give the folder that has it and the others of its set"
        raise InvalidFileError(f"{source} {advice}")
    if not path.exists():
        raise InvalidFileError(
            f"there is no file or folder {source}: give a folder of photographs, IDX files, "
            f"NumPy's .npz, CSV, CIFAR's or SVHN's files, an address that starts with "
            f"{', '.join(SCHEMES)}, or one of {', '.join(PUBLISHED)}"
        )
    if not path.is_file() and not path.is_dir():
        raise InvalidFileError(f"{source} is neither a file nor a folder: give a folder")
    return path


def _reader_of(name: str, wanted: Wanted) -> Callable[[Path, str], Dataset] | None:
    """What reads a dataset that is one file of a name; None if none is."""
    if name.lower().endswith(SUFFIX):
        return read_arrays
    if is_archive(name):
        return partial(read_cifar_archive, labels=wanted.labels)
    if wanted.set_name and name.lower().endswith(ZIP):
        return partial(read_emnist_zip, set_name=wanted.set_name)
    return None


def _read_address(source: str, wanted: Wanted) -> Dataset:
    address = folder_address(source)
    above, _, name = source.rpartition("/")
    if reader := _reader_of(name, wanted):
        return fetch(f"{above}/", name, reader)
    if SVHN in wanted.layouts and NAMES not in wanted.layouts:
        return read_digits(address, lambda name: fetch(address, name, read_svhn))
    origin = f"{address} (kept in {cache_folder(address)}: remove it to download again)"
    set_name = wanted.set_name or ""

    def find(name: str) -> NDArray[Any]:
        file = file_name(set_name, name) if is_emnist(set_name) else f"{name}.gz"
        return fetch(address, file, partial(read_one, name))

    return read_four(origin, set_name, find)
