"""Finding pictures in folders, each of which is named after what its pictures show."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from gpucnn.errors import InvalidFileError, printable

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm"),
    *(".ppm", ".tif", ".tiff", ".webp"),
)
"""Of pictures, in small letters."""

TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation")
"""Names of the folders of the parts of a set, the first that is there is taken."""

NO_CLASSES = ("__macosx",)  # folders that programs leave behind, besides hidden ones


class Photo(NamedTuple):
    """A picture that is not read yet.

    Attributes:
        path: of the file.
        name: the path in the folder of the set, of names with / between them, as on any system.
        label: the number of its class.
    """

    path: Path
    name: str
    label: int


@dataclass(frozen=True)
class FoundPhotos:
    """The pictures in a folder.

    Attributes:
        class_names: of the folders, by label.
        train: those to train on, or all.
        test: those to test with; None if they have no folder of their own.
        others: files that are no pictures, by how their names end.
        empty: the names of folders without pictures.
        beside: the names of folders beside train/ and test/, and of a test/ without classes.
    """

    class_names: tuple[str, ...]
    train: list[Photo]
    test: list[Photo] | None
    others: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)


def holds_photos(folder: Path) -> bool:
    """Whether there are pictures in the folders of a folder, or in the folders of these.

    Raises:
        OSError: a folder cannot be read.
    """
    return _hold_pictures(_folders(_root(folder)), depth=1)


def find_photos(folder: Path) -> FoundPhotos:
    """Find the pictures of each class in a folder.

    There is a folder for each class, and these are in the folder itself, or in train/ and test/
    (or val/), of which test/ is left out if its pictures are in no folders. Pictures in folders
    within that of a class belong to it. Hidden files and folders are passed over; a folder that has
    nothing but one other stands for that.

    Raises:
        InvalidFileError: there is no such folder, there are no folders with pictures in it, test/
            has a class that train/ has not, or a name of a class is none.
        OSError: a folder cannot be read.
    """
    if not folder.is_dir():
        raise InvalidFileError(
            f"there is no folder {folder}: give one with a folder for each class"
        )
    root = _root(folder)
    train_folder, test_folder = _parts(root)
    parts = train_folder, test_folder
    beside = [] if train_folder == root else [each.name for each in _others(root, *parts)]
    others: Counter[str] = Counter()
    by_class = _by_class(train_folder, others)
    empty = sorted(name for name, files in by_class.items() if not files)
    names = sorted((name for name, files in by_class.items() if files), key=_in_order)
    if not names:
        raise InvalidFileError(_advice(train_folder, others))
    train = _labelled(by_class, names, root)
    if test_folder is None:
        return FoundPhotos(tuple(names), train, None, others, empty, beside)
    to_test = {name: files for name, files in _by_class(test_folder, others).items() if files}
    for name in to_test:
        if name not in names:
            raise InvalidFileError(
                f"{test_folder} has pictures of {printable(name)}, {train_folder} has none: "
                "give both folders the same classes"
            )
    test = _labelled(to_test, names, root)
    return FoundPhotos(tuple(names), train, test, others, empty, beside)


def _root(folder: Path) -> Path:
    """The folder, or the only one that it holds, and so on, as unpacked archives have it."""
    while True:
        folders, pictures = _folders(folder), map(_is_picture, _visible(folder))
        if len(folders) != 1 or any(pictures) or not _folders(folders[0]):
            return folder
        folder = folders[0]


def _parts(root: Path) -> tuple[Path, Path | None]:
    """The folders of what to train on, which may be the root, and of what to test with, if any."""
    by_name = {each.name.lower(): each for each in _folders(root)}
    train, test = (
        next((by_name[each] for each in names if each in by_name), None) for names in (TRAIN, TEST)
    )
    if train and not test and _folders(train) and not _hold_pictures(_others(root, train)):
        return train, None
    if train is None or test is None:
        return root, None
    if not _folders(train) and by_name.keys() - {*TRAIN, *TEST}:  # classes, such as trains
        return root, None
    return train, test if _folders(test) else None


def _by_class(folder: Path, others: Counter[str]) -> dict[str, list[Path]]:
    """The pictures of each class; other files are counted in `others`."""
    found: dict[str, list[Path]] = {}
    for each in _folders(folder):
        files = list(_files_below(each))
        pictures = [file for file in files if _is_picture(file)]
        others.update(file.suffix.lower() for file in files if not _is_picture(file))
        found.setdefault(_class_name(each), []).extend(pictures)
    others.update(each.suffix.lower() for each in _visible(folder) if each.is_file())
    return found


def _class_name(folder: Path) -> str:
    """The name in one form: of the same letters, macOS's have other bytes than most."""
    if not folder.name.isprintable():  # which what is not UTF-8 is not, either
        raise InvalidFileError(f"{folder} has unprintable characters in its name: rename it")
    return normalize("NFC", folder.name)


def _in_order(name: str) -> tuple[bool, int, str]:
    """Numbers come first and by their size, others by their letters."""
    is_number = name.isascii() and name.isdecimal()
    return not is_number, int(name) if is_number else 0, name


def _labelled(by_class: dict[str, list[Path]], names: list[str], root: Path) -> list[Photo]:
    return [
        Photo(path, normalize("NFC", path.relative_to(root).as_posix()), label)
        for label, name in enumerate(names)
        for path in sorted(by_class.get(name, ()))
    ]


def _advice(folder: Path, others: Counter[str]) -> str:
    loose = sum(_is_picture(each) for each in _visible(folder))
    if loose:
        return (
            f"{folder} has {loose:,} picture{'s' * (loose != 1)}, but no folders of them: move "
            f"those of each class to a folder of its name, such as {folder / 'cat'}"
        )
    ((kind, count),) = others.most_common(1) or [("", 0)]
    unread = f", but {count:,} {printable(kind, 20)}, which are not read" if kind else ""
    return (
        f"there are no pictures in the folders of {folder}{unread}: give a folder with one for "
        "each class, of PNG or JPEG files"
    )


def _files_below(folder: Path, depth: int | None = None) -> Iterator[Path]:
    """The visible files of a folder and of the folders in it, without pipes and broken links.

    Folders are read one by one as files are asked for; those that are links are left out.

    Args:
        folder: where they are.
        depth: of folders within folders; None for any.
    """
    left = [(str(folder), 0)]
    while left:
        place, level = left.pop()
        for entry in _entries(place):
            if entry.is_dir(follow_symlinks=False):
                if depth is None or level < depth:
                    left.append((entry.path, level + 1))
            elif entry.is_file():
                yield Path(entry.path)


def _hold_pictures(folders: list[Path], depth: int | None = None) -> bool:
    files = (file for folder in folders for file in _files_below(folder, depth))
    return any(map(_is_picture, files))  # which ends with the first


def _others(root: Path, *parts: Path | None) -> list[Path]:
    return [each for each in _folders(root) if each not in parts]


def _folders(folder: Path) -> list[Path]:
    return [Path(each.path) for each in _entries(folder) if each.is_dir()]


def _visible(folder: Path) -> list[Path]:
    return [Path(each.path) for each in _entries(folder)]


def _entries(folder: Path | str) -> list["os.DirEntry[str]"]:
    """What is visible in a folder, by name; it tells folders from files without asking again."""
    with os.scandir(folder) as entries:
        visible = [each for each in entries if _is_visible(each.name)]
    return sorted(visible, key=lambda each: each.name)


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in NO_CLASSES


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES
