"""Finding the files of a dataset in a folder, under the names in common use."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

from gpucnn.errors import InvalidFileError, printable

Layout: TypeAlias = tuple[str, ...]  # the names of its files
Files: TypeAlias = dict[str, Path]  # by the names of the layout

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
ARCHIVE = ("mnist.npz",)
TABLES = ("train.csv", "test.csv")
LAYOUTS = (NAMES, ARCHIVE, TABLES)  # the first that is there is taken

SET = r"(?:(?P<set>.+)[-_.])?"
PATTERNS = {
    # train-images.idx3-ubyte, emnist-letters-test-images-idx3-ubyte.gz,
    # qmnist-train-labels-idx2-int, kmnist-train-imgs.npz
    NAMES: re.compile(
        SET + r"(?P<part>train|t10k|test)[-_.](?P<content>images|imgs|labels)"
        r"(?:[-_.]idx[123][-_.](?:ubyte|byte|short|int|float|double)(?:\.gz)?|\.npz)"
    ),
    # fashion-mnist_train.csv
    TABLES: re.compile(SET + r"(?P<part>train|test)\.csv"),
    ARCHIVE: re.compile(r"(?P<set>.+)\.npz"),
}
UNREAD = {
    ".mat": "is MATLAB's, which is not read: give the four IDX files of the set",
    ".pkl": "is a pickle, which could run anything, and is not read: give mnist.npz or IDX files",
    ".parquet": "is not read: give CSV or IDX files",
    ".arff": "is not read: give CSV or IDX files",
    ".zip": "is to be unpacked first",
    ".tar": "is to be unpacked first",
    ".tgz": "is to be unpacked first",
}
"""By their suffix: files in which people have data, and what to do with them."""


@dataclass(frozen=True)
class FoundSet:
    """The files of a dataset.

    Attributes:
        name: what its files' names start with, such as "emnist-digits", or "".
        layout: one of `LAYOUTS`.
        files: the path of each name of the layout.
    """

    name: str
    layout: Layout
    files: Files


def find_set(folder: Path) -> FoundSet:
    """Find the files of the dataset in a folder.

    They may be in the folder itself, in raw/, or in a subfolder such as MNIST/raw/:

    - four arrays. A name may have dots or underscores instead of hyphens, "test" instead of "t10k",
      another element type or number of dimensions, .gz at its end, and the name of the dataset at
      its start; or be as kmnist-train-imgs.npz. If a file is there both plain and as .gz, the plain
      one is used;
    - or one .npz file of any other name;
    - or train.csv and test.csv, which may have the name of the dataset at their start.

    Raises:
        InvalidFileError: a file is missing, or there is more than one dataset.
        OSError: the folder cannot be read.
    """
    for layout in LAYOUTS:
        if inside := _folder_with(folder, layout):
            return _only_set(inside, layout)
    raise InvalidFileError(_nothing_in(folder))


def unread(path: Path) -> str | None:
    """What a file is that no reader takes, and what to do; None if nothing is known of it."""
    return next((UNREAD[each] for each in map(str.lower, path.suffixes) if each in UNREAD), None)


def _folder_with(folder: Path, layout: Layout) -> Path | None:
    for inside in (folder, folder / "raw"):
        if inside.is_dir() and _sets_in(inside, layout):
            return inside
    deeper = [each for each in sorted(folder.glob("*/raw")) if each.is_dir()]
    deeper = [each for each in deeper if _sets_in(each, layout)]
    if len(deeper) > 1:
        names = [str(each.relative_to(folder)) for each in deeper]
        raise _ambiguous(folder, names, "give the folder of one")
    return deeper[0] if deeper else None


def _sets_in(folder: Path, layout: Layout) -> dict[str, Files]:
    """The files of each dataset of a layout in a folder, by the name of the dataset."""
    sets: dict[str, Files] = {}
    for path in sorted(folder.glob("[!.]*"), key=_preference):  # skips macOS's ._ files
        match = PATTERNS[layout].fullmatch(path.name.lower())
        if match and _layout_of(path) is layout:
            sets.setdefault(match["set"] or "", {}).setdefault(_name_in(layout, match), path)
    return sets


def _layout_of(path: Path) -> Layout | None:
    """The first layout that has a file of such a name."""
    name = path.name.lower()
    return next((layout for layout in PATTERNS if PATTERNS[layout].fullmatch(name)), None)


def _name_in(layout: Layout, match: re.Match[str]) -> str:
    """The name in the layout of the file of a name that matches."""
    if layout is ARCHIVE:
        return ARCHIVE[0]
    is_train = match["part"] == "train"
    if layout is TABLES:
        return TABLES[0 if is_train else 1]
    is_labels = match["content"] == "labels"
    return NAMES[(0 if is_train else 2) + is_labels]


def _preference(path: Path) -> tuple[bool, bool, str]:
    return path.is_dir(), path.suffix == ".gz", path.name


def _only_set(inside: Path, layout: Layout) -> FoundSet:
    sets = _sets_in(inside, layout)
    if len(sets) > 1:
        raise _ambiguous(inside, sets, "move the files of one to a folder of their own")
    ((name, files),) = sets.items()
    for each in layout:
        if each not in files:
            raise InvalidFileError(_missing(inside, layout, each))
    return FoundSet(name, layout, files)


def _missing(inside: Path, layout: Layout, name: str) -> str:
    near = _near_match(inside, name)
    if layout is TABLES:
        return (
            f"there is no {name}, with or without the name of the set before it, in {inside}"
            f"{near}: a set has images to train on and others to test with, two files; move, for "
            f"example, the last sixth of the rows of {TABLES[0]} to {TABLES[1]}"
        )
    return (
        f"there is no {name}, plain or .gz, in {inside}{near}: "
        "a set has images and labels of train and t10k, four files"
    )


def _nothing_in(folder: Path) -> str:
    near = _near_match(folder, NAMES[0])
    for path in sorted(folder.glob("[!.]*")):
        if (advice := unread(path)) and not near:
            return f"there are no images in {folder} that can be read: {path.name} {advice}"
    return (
        f"there is no {NAMES[0]}, plain or .gz, in {folder}{near}: "
        "give a folder with the four files of MNIST, or with mnist.npz, or with train.csv and "
        "test.csv"
    )


def _near_match(folder: Path, name: str) -> str:
    others = [each.name for each in folder.iterdir() if not _layout_of(each)]
    near = get_close_matches(name, others, n=1)
    return f", but a {printable(near[0])}, which may be renamed" if near else ""


def _ambiguous(folder: Path, names: Iterable[str], advice: str) -> InvalidFileError:
    listed = printable(", ".join(name or "one without a name" for name in names))
    return InvalidFileError(f"{folder} holds several sets of images ({listed}): {advice}")
