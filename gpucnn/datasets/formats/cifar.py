"""CIFAR-10 and CIFAR-100: Python's pickled batches and the binary version.

Source: A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images (2009), and the page of
the data. Each image is 3072 bytes, the red plane of 32 x 32, then the green and the blue one. A
record of the binary version is the label, in CIFAR-100 the coarse and the fine one, and the image.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets import folder
from gpucnn.datasets.formats.archive import Entry
from gpucnn.datasets.formats.in_place import rearranged
from gpucnn.datasets.formats.pickled import read_pickle
from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError, printable

SHAPE = (3, 32, 32)  # of an image, in the files
PIXELS = 3 * 32 * 32
AT_ONCE = 256  # records that are read
LONGEST_NAMES = 2**16  # bytes of a file of names


@dataclass(frozen=True)
class Kind:
    """What one of the two sets has.

    Attributes:
        name: of the set.
        files: the names of those to train on, in order, and of that to test with, without .bin.
        labels: the names of the labels, in the order of the bytes of a record; the last are used
            where none are named.
        classes: how many there are of each.
        pattern: of the names of its files.
    """

    name: str
    files: folder.Layout
    labels: tuple[str, ...]
    classes: tuple[int, ...]
    pattern: re.Pattern[str]


CIFAR10 = Kind(
    name="CIFAR-10",
    files=folder.CIFAR10,
    labels=("labels",),
    classes=(10,),
    pattern=re.compile(r"(data_batch_[1-5]|test_batch)(\.bin)?|batches\.meta(\.txt)?"),
)
CIFAR100 = Kind(
    name="CIFAR-100",
    files=folder.CIFAR100,
    labels=("coarse_labels", "fine_labels"),
    classes=(20, 100),
    pattern=re.compile(r"(train|test)(\.bin)?|meta|(fine|coarse)_label_names\.txt"),
)
KINDS = (CIFAR10, CIFAR100)


def is_cifar(name: str) -> bool:
    """Whether a file of this name is one of either set's."""
    return any(kind.pattern.fullmatch(name) for kind in KINDS)


def read_cifar(
    entries: Iterable[Entry], origin: str, labels: str | None = None
) -> tuple[Part, Part, tuple[str, ...] | None]:
    """Read one of the sets.

    Args:
        entries: its files, in any order: pickles, or the binary version's. Others are passed over.
        origin: where they are from, in error messages.
        labels: which are asked for: "labels", those of CIFAR-10, or of CIFAR-100 "fine_labels", of
            its 100 classes, or "coarse_labels", of its 20 superclasses; None for either set, and
            for the fine ones.

    Returns:
        The training and the test part, images uint8 (n, 32, 32, 3) and labels uint8 (n,), and the
        names of the classes, where a file has them.

    Raises:
        InvalidFileError: a file is missing, damaged, or not of this set.
        OSError: a file cannot be read.
    """
    kinds = [kind for kind in KINDS if labels is None or labels in kind.labels]
    batches = _Batches()
    names: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        kind = next((each for each in kinds if each.pattern.fullmatch(entry.name)), None)
        if kind is None:
            continue
        stem = entry.name.removesuffix(".bin")
        if stem in kind.files:
            read = _read_binary if entry.name.endswith(".bin") else _read_pickled
            batches.put(stem, read(entry, kind, _label_of(kind, labels)), kind)
        else:
            names |= _read_names(entry)
    if not batches.parts:
        raise InvalidFileError(
            f"{origin} has none of the files of {' or '.join(each.name for each in kinds)}: if it "
            "has other images, unpack it and give their folder"
        )
    kind = next(each for each in kinds if batches.parts.keys() & set(each.files))
    for each in kind.files:
        if each not in batches.parts:
            raise InvalidFileError(
                f"{origin} has no {each} or {each}.bin: give all files of {kind.name}"
            )
    train, test = batches.joined(kind.files[:-1]), batches.joined(kind.files[-1:])
    return train, test, _names_of(names, kind, _label_of(kind, labels))


class _Batches:
    """Batches of images, (n, 3072), and their labels.

    CIFAR-10's five to train on lie in one array from the start, each in its place, so that they
    need not be kept twice to be joined.

    Attributes:
        parts: by the name of the file.
    """

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self._whole: NDArray[np.uint8] | None = None

    def put(self, name: str, batch: Part, kind: Kind) -> None:
        """Keep the batch of a file."""
        planes, labels = batch
        if kind is CIFAR10 and name != kind.files[-1]:
            if self._whole is None:
                self._whole = np.empty((len(kind.files) - 1, *planes.shape), np.uint8)
            if planes.shape == self._whole.shape[1:]:
                place = self._whole[kind.files.index(name)]
                place[:] = planes
                planes = place
        self.parts[name] = planes, labels

    def joined(self, names: Sequence[str]) -> Part:
        """The images of files, (n, 32, 32, 3), and their labels."""
        planes, labels = zip(*(self.parts[name] for name in names), strict=True)
        if len(planes) > 1 and all(each.base is self._whole for each in planes):
            whole = planes[0].base
        else:
            whole = planes[0] if len(planes) == 1 else np.concatenate(planes)
        images = rearranged(whole.reshape(-1, *SHAPE), (0, 2, 3, 1))
        return images, np.concatenate(labels)


def _label_of(kind: Kind, labels: str | None) -> int:
    """Which of the labels of a set is asked for."""
    return kind.labels.index(labels or kind.labels[-1])


def _read_binary(entry: Entry, kind: Kind, label: int) -> Part:
    before = len(kind.labels)
    count, rest = divmod(entry.size, before + PIXELS)
    if rest or not count:
        raise InvalidFileError(
            f"{entry.origin} has {entry.size} bytes, which are not whole images of "
            f"{before + PIXELS} bytes: give another copy"
        )
    planes = np.empty((count, PIXELS), np.uint8)
    labels = np.empty(count, np.uint8)
    for some in _steps(count):
        records = np.frombuffer(
            _read(entry, (some.stop - some.start) * (before + PIXELS)), np.uint8
        )
        records = records.reshape(-1, before + PIXELS)
        labels[some] = records[:, label]
        planes[some] = records[:, before:]
    _check_labels(labels, entry, kind.classes[label])
    return planes, labels


def _steps(count: int) -> Iterator[slice]:
    for first in range(0, count, AT_ONCE):
        yield slice(first, min(count, first + AT_ONCE))


def _read(entry: Entry, size: int) -> bytes:
    content = entry.file.read(size)
    if len(content) < size:
        raise InvalidFileError(f"{entry.origin} is cut short: give another copy")
    return content


def _read_pickled(entry: Entry, kind: Kind, label: int) -> Part:
    batch = read_pickle(entry.file, entry.size, entry.origin)
    name = kind.labels[label]
    planes, labels = batch.get("data"), batch.get(name)
    if not isinstance(planes, np.ndarray) or planes.ndim != 2 or planes.shape[1] != PIXELS:
        raise InvalidFileError(
            f"{entry.origin} has no data of {PIXELS} bytes for each image: give {kind.name}'s file"
        )
    if not isinstance(labels, list) or len(labels) != len(planes) or not len(planes):
        raise InvalidFileError(
            f"{entry.origin} has no {name} for its {len(planes)} images: give {kind.name}'s file"
        )
    if not all(type(each) is int and 0 <= each < 256 for each in labels):
        raise InvalidFileError(f"{entry.origin} has {name} that are no classes: give another copy")
    numbers = np.array(labels, np.uint8)
    _check_labels(numbers, entry, kind.classes[label])
    return planes, numbers


def _check_labels(labels: NDArray[np.uint8], entry: Entry, classes: int) -> None:
    if labels.max() >= classes:
        raise InvalidFileError(
            f"{entry.origin} has a label {labels.max()}, of {classes} classes: give another copy"
        )


def _read_names(entry: Entry) -> dict[str, tuple[str, ...]]:
    """The names of classes in a file, by the name of the labels."""
    if not entry.name.endswith(".txt"):
        content = read_pickle(entry.file, entry.size, entry.origin)
        return {
            f"{key.removesuffix('_names')}s": tuple(map(_text, value))
            for key, value in content.items()
            if key.endswith("label_names") and isinstance(value, list)
        }
    text = _read(entry, min(entry.size, LONGEST_NAMES)).decode(errors="replace")
    labels = "labels" if entry.name.startswith("batches") else f"{entry.name.split('_')[0]}_labels"
    return {labels: tuple(map(printable, text.split()))}


def _text(name: Any) -> str:
    return printable(name.decode(errors="replace") if isinstance(name, bytes) else name)


def _names_of(names: dict[str, tuple[str, ...]], kind: Kind, label: int) -> tuple[str, ...] | None:
    """Those of the labels asked for, if there is one for each class."""
    found = names.get(kind.labels[label], ())
    return found if len(set(found)) == kind.classes[label] == len(found) else None
