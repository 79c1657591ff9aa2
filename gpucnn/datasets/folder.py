"""Finding the files of a dataset in a folder, under the names in common use."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
ARRAYS = ("mnist.npz",)
TABLES = ("train.csv", "test.csv")
CIFAR10 = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
CIFAR100 = ("train", "test")
CIFAR10_ARCHIVE = ("cifar-10-python.tar.gz",)
CIFAR100_ARCHIVE = ("cifar-100-python.tar.gz",)
SVHN = ("train_32x32.mat", "test_32x32.mat")
ZIPPED = ("gzip.zip",)  # EMNIST's six sets, of which one is to be named
LAYOUTS = (NAMES, ARRAYS, TABLES, CIFAR10, CIFAR100, SVHN, CIFAR10_ARCHIVE, CIFAR100_ARCHIVE)
"""Of which the first that is there is taken."""

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
    ARRAYS: re.compile(r"(?P<set>.+)\.npz"),
    CIFAR10: re.compile(r"(?P<set>)(?P<file>data_batch_[1-5]|test_batch)(?:\.bin)?"),
    CIFAR100: re.compile(r"(?P<set>)(?P<file>train|test)(?:\.bin)?"),
    SVHN: re.compile(r"(?P<set>)(?P<file>(?:train|test)_32x32\.mat)"),
    CIFAR10_ARCHIVE: re.compile(r"(?P<set>cifar-10)[-_.].*(?:tar\.gz|tgz|tar)"),
    CIFAR100_ARCHIVE: re.compile(r"(?P<set>cifar-100)[-_.].*(?:tar\.gz|tgz|tar)"),
    ZIPPED: re.compile(r"(?P<set>)(?:emnist[-_])?gzip\.zip"),
}
DEEPER = ("*/raw", "cifar-*", "cifar-*/cifar-*")  # folders in which sets are, as others unpack them
UNPACK = "is to be unpacked first"
AS_NPZ = "put x_train, y_train, x_test and y_test into one .npz with numpy.savez"
PICTURE = "is a picture in no folder of its class: move those of each class to a folder of its name"
UNREAD = {
    ".mat": "is MATLAB's, of which only SVHN's are read: give the folder of train_32x32.mat and "
    "test_32x32.mat, or of the four IDX files of the set",
    ".pkl": "is a pickle, which could run anything, and is not read: give mnist.npz or IDX files",
    ".pt": "is PyTorch's pickle, which is not read: give the folder of its raw files",
    ".npy": f"is one array alone: {AS_NPZ}",
    ".h5": f"is HDF5, which is not read: {AS_NPZ}",
    ".hdf5": f"is HDF5, which is not read: {AS_NPZ}",
    ".arrow": f"is not read: {AS_NPZ}",
    ".parquet": "is not read: give CSV or IDX files",
    ".arff": "is not read: give CSV or IDX files",
    ".jpeg": PICTURE,
    ".jpg": PICTURE,
    ".png": PICTURE,
    ".zip": UNPACK,
    ".7z": UNPACK,
    ".xz": UNPACK,
}
"""By their suffix: files in which people have data, and what to do with them."""

WANTED = (
    "give a folder with the four files of MNIST, or with mnist.npz, or with train.csv and "
    "test.csv, or with CIFAR's or SVHN's files, or with a folder of pictures for each class"
)
LISTED = 3
"""The most files that are named of a folder without images."""


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


def find_set(
    folder: Path, layouts: Sequence[Layout] = LAYOUTS, set_name: str | None = None
) -> FoundSet:
    """Find the files of the dataset in a folder.

    They may be in the folder itself, in raw/ or gzip/, or in a subfolder such as MNIST/raw/ or
    cifar-10-batches-py/:

    - four arrays. A name may have dots or underscores instead of hyphens, "test" instead of "t10k",
      another element type or number of dimensions, .gz at its end, and the name of the dataset at
      its start; or be as kmnist-train-imgs.npz. If a file is there both plain and as .gz, the plain
      one is used;
    - or one .npz file of any other name;
    - or train.csv and test.csv, which may have the name of the dataset at their start;
    - or CIFAR's files, pickled or binary, or the .tar.gz that holds them;
    - or SVHN's train_32x32.mat and test_32x32.mat.

    Args:
        folder: where to look.
        layouts: of which one is looked for; the first that is there is taken.
        set_name: what the names of its files start with, such as "emnist-letters"; None for that
            of the only set.

    Raises:
        InvalidFileError: a file is missing, or there is more than one dataset.
        OSError: the folder cannot be read.
    """
    for layout in layouts:
        if inside := _folder_with(folder, layout):
            return _one_set(inside, layout, set_name)
    raise InvalidFileError(_nothing_in(folder, layouts))


def unread(path: Path) -> str | None:
    """What a file is that no reader takes, and what to do; None if nothing is known of it."""
    return next((UNREAD[each] for each in map(str.lower, path.suffixes) if each in UNREAD), None)


def _folder_with(folder: Path, layout: Layout) -> Path | None:
    for inside in (folder, folder / "raw", folder / "gzip"):
        if inside.is_dir() and _sets_in(inside, layout):
            return inside
    deeper = [each for pattern in DEEPER for each in sorted(folder.glob(pattern)) if each.is_dir()]
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
        # Other layouts' names are those of folders, of photographs for one, or of pipes.
        is_taken = layout is NAMES or path.is_file()
        if match and is_taken and _layout_of(path) is layout:
            sets.setdefault(match["set"] or "", {}).setdefault(_name_in(layout, match), path)
    return sets


def _layout_of(path: Path) -> Layout | None:
    """The first layout that has a file of such a name."""
    name = path.name.lower()
    return next((layout for layout in PATTERNS if PATTERNS[layout].fullmatch(name)), None)


def _name_in(layout: Layout, match: re.Match[str]) -> str:
    """The name in the layout of the file of a name that matches."""
    if len(layout) == 1:
        return layout[0]
    if "file" in match.groupdict():
        return match["file"]
    is_train = match["part"] == "train"
    if layout is TABLES:
        return TABLES[0 if is_train else 1]
    is_labels = match["content"] == "labels"
    return NAMES[(0 if is_train else 2) + is_labels]


def _preference(path: Path) -> tuple[bool, bool, str]:
    return path.is_dir(), path.suffix == ".gz", path.name


def _one_set(inside: Path, layout: Layout, set_name: str | None) -> FoundSet:
    sets = _sets_in(inside, layout)
    if set_name is not None:
        sets = {set_name: _named(inside, sets, set_name)}
    if len(sets) > 1:
        raise _ambiguous(inside, sets, "move the files of one to a folder of their own")
    ((name, files),) = sets.items()
    for each in layout:
        if each not in files:
            raise InvalidFileError(_missing(inside, layout, each))
    return FoundSet(name, layout, files)


def _named(inside: Path, sets: dict[str, Files], name: str) -> Files:
    """The files of the set of a name, or of the one that has none."""
    for each in (name, ""):
        if each in sets:
            return sets[each]
    raise InvalidFileError(
        f"there is no {name} in {inside}, but {printable(', '.join(sets))}: give the folder of it"
    )


def _missing(inside: Path, layout: Layout, name: str) -> str:
    near = _near_match(inside, name)
    if layout is TABLES:
        return (
            f"there is no {name}, with or without the name of the set before it, in {inside}"
            f"{near}: a set has images to train on and others to test with, two files; move, for "
            f"example, the last sixth of the rows of {TABLES[0]} to {TABLES[1]}"
        )
    if layout is not NAMES:
        return f"there is no {name} in {inside}: give all files of the set, {', '.join(layout)}"
    return (
        f"there is no {name}, plain or .gz, in {inside}{near}: "
        "a set has images and labels of train and t10k, four files"
    )


def _nothing_in(folder: Path, layouts: Sequence[Layout]) -> str:
    if NAMES not in layouts:
        wanted = ", or ".join(", ".join(layout) for layout in layouts if layout is not ARRAYS)
        return f"there is not the set that is asked for in {folder}: give a folder with {wanted}"
    if near := _near_match(folder, NAMES[0]):
        return f"there is no {NAMES[0]}, plain or .gz, in {folder}{near}: {WANTED}"
    paths = sorted(folder.glob("[!.]*"))
    for path in paths:
        if advice := unread(path):
            return f"there are no images in {folder} that can be read: {path.name} {advice}"
    if not paths:
        return f"{folder} is empty: {WANTED}"
    return f"there are no images in {folder}, but {_listed(paths)}: {WANTED}"


def _listed(paths: Sequence[Path]) -> str:
    """The names of the first files and folders."""
    names = [f"{each.name}/" if each.is_dir() else each.name for each in paths[:LISTED]]
    return printable(", ".join(names + ["..."] * (len(paths) > LISTED)), 100)


def _near_match(folder: Path, name: str) -> str:
    from difflib import get_close_matches  # imported here: `import gpucnn` stays light

    others = [each.name for each in folder.iterdir() if not _layout_of(each)]
    near = get_close_matches(name, others, n=1)
    return f", but a {printable(near[0])}, which may be renamed" if near else ""


def _ambiguous(folder: Path, names: Iterable[str], advice: str) -> InvalidFileError:
    listed = printable(", ".join(name or "one without a name" for name in names))
    return InvalidFileError(f"{folder} holds several sets of images ({listed}): {advice}")
