"""CIFAR-10 and CIFAR-100: Python's pickled batches and the binary version.

Source: A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images (2009), and the page of
the data. Each image is 3072 bytes, the red plane of 32 x 32, then the green and the blue one. A
record of the binary version is the label, in CIFAR-100 the coarse and the fine one, and the image.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.formats.archive import Entry
from gpucnn.datasets.formats.pickled import read_pickle
from gpucnn.datasets.formats.planes import joined, to_pixels
from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError, printable

SHAPE = (3, 32, 32)  # of an image, in the files
PIXELS = 3 * 32 * 32
AT_ONCE = 256  # records that are read
LONGEST_NAMES = 2**16  # bytes of a file of names

LabelMode = Literal["fine", "coarse"]


@dataclass(frozen=True)
class Kind:
    """What one of the two sets has.

    Attributes:
        name: of the set.
        train: the names of the files to train on, in order, without .bin.
        test: that of the file to test with.
        labels: the names of the labels, in the order of the bytes of a record.
        classes: how many there are of each.
    """

    name: str
    train: tuple[str, ...]
    test: str
    labels: tuple[str, ...]
    classes: tuple[int, ...]


CIFAR10 = Kind(
    name="CIFAR-10",
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    labels=("labels",),
    classes=(10,),
)
CIFAR100 = Kind(
    name="CIFAR-100",
    train=("train",),
    test="test",
    labels=("coarse_labels", "fine_labels"),
    classes=(20, 100),
)
KINDS = (CIFAR10, CIFAR100)


def is_cifar(name: str) -> bool:
    """Whether a file of this name is one of either set's."""
    return _kind_of(name) is not None


def read_cifar(
    entries: Iterable[Entry], origin: str, label_mode: LabelMode = "fine"
) -> tuple[Part, Part, tuple[str, ...] | None]:
    """Read one of the sets.

    Args:
        entries: its files, in any order: pickles, or the binary version's. Others are passed over.
        origin: where they are from, in error messages.
        label_mode: which labels of CIFAR-100, those of its 100 classes or of its 20 superclasses.

    Returns:
        The training and the test part, images uint8 (n, 32, 32, 3) and labels uint8 (n,), and the
        names of the classes, where a file has them.

    Raises:
        InvalidFileError: a file is missing, damaged, or not of this set.
        OSError: a file cannot be read.
    """
    parts: dict[str, Part] = {}
    names: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        kind = _kind_of(entry.name)
        if kind is None:
            continue
        stem = entry.name.removesuffix(".bin")
        if stem in (*kind.train, kind.test):
            read = _read_binary if entry.name.endswith(".bin") else _read_pickled
            parts[stem] = read(entry, kind, label_mode)
        else:
            names |= _read_names(entry)
    kind = next((each for each in KINDS if each.test in parts), CIFAR10)
    for each in (*kind.train, kind.test):
        if each not in parts:
            raise InvalidFileError(
                f"{origin} has no {each} or {each}.bin: give all files of {kind.name}"
            )
    train, test = (
        _joined([parts.pop(name) for name in files]) for files in (kind.train, [kind.test])
    )
    return train, test, _names_of(names, kind, label_mode)


def _joined(batches: list[Part]) -> Part:
    """The images of all batches, (n, 3072), as (n, 32, 32, 3), and their labels."""
    labels = np.concatenate([each for _, each in batches])
    planes = [each for each, _ in batches]
    batches.clear()  # so that each goes as it is joined
    return to_pixels(joined(planes).reshape(-1, *SHAPE)), labels


def _kind_of(name: str) -> Kind | None:
    """The set that has a file of this name."""
    if re.fullmatch(r"(data_batch_[1-5]|test_batch)(\.bin)?|batches\.meta(\.txt)?", name):
        return CIFAR10
    if re.fullmatch(r"(train|test)(\.bin)?|meta|(fine|coarse)_label_names\.txt", name):
        return CIFAR100
    return None


def _label_of(kind: Kind, label_mode: LabelMode) -> int:
    """Which of the labels of a set is asked for."""
    return kind.labels.index(f"{label_mode}_labels") if kind is CIFAR100 else 0


def _read_binary(entry: Entry, kind: Kind, label_mode: LabelMode) -> Part:
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
        labels[some] = records[:, _label_of(kind, label_mode)]
        planes[some] = records[:, before:]
    _check_labels(labels, entry, kind.classes[_label_of(kind, label_mode)])
    return planes, labels


def _steps(count: int) -> Iterator[slice]:
    for first in range(0, count, AT_ONCE):
        yield slice(first, min(count, first + AT_ONCE))


def _read(entry: Entry, size: int) -> bytes:
    content = entry.file.read(size)
    if len(content) < size:
        raise InvalidFileError(f"{entry.origin} is cut short: give another copy")
    return content


def _read_pickled(entry: Entry, kind: Kind, label_mode: LabelMode) -> Part:
    batch = read_pickle(entry.file, entry.size, entry.origin)
    name = kind.labels[_label_of(kind, label_mode)]
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
    _check_labels(numbers, entry, kind.classes[_label_of(kind, label_mode)])
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
    return {labels: tuple(text.split())}


def _text(name: Any) -> str:
    return printable(name.decode(errors="replace") if isinstance(name, bytes) else name)


def _names_of(
    names: dict[str, tuple[str, ...]], kind: Kind, label_mode: LabelMode
) -> tuple[str, ...] | None:
    """Those of the labels asked for, if there is one for each class."""
    label = _label_of(kind, label_mode)
    found = names.get(kind.labels[label], ())
    return found if len(set(found)) == kind.classes[label] == len(found) else None
