"""EMNIST's ways: its images lie on their sides, mirrored, and its letters are counted from 1.

Source: G. Cohen, S. Afshar, J. Tapson, A. van Schaik: EMNIST, an extension of MNIST to handwritten
letters (2017). Its files have the pixels of an image column by column. They are passed around as
gzip.zip, which has those of all six sets.
"""

from collections.abc import Sequence
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from numpy.typing import NDArray

from gpucnn.datasets.formats.idx import read_opened_idx
from gpucnn.datasets.formats.in_place import rearranged
from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError, printable
from gpucnn.utils.storage.damage import DAMAGE

LETTERS = 26
LONGEST_MAPPING = 2**16  # bytes of the file that has the codes of classes
MOST_CLASSES = 100
DIMENSIONS = (1, 3)  # of labels and of images

Zipped: TypeAlias = tuple[list[NDArray[Any]], tuple[str, ...] | None]


def is_emnist(name: str) -> bool:
    """Whether a set of this name, such as emnist-digits, is one of EMNIST's."""
    return name.startswith("emnist")


def file_name(set_name: str, name: str) -> str:
    """That of EMNIST's file which MNIST's of a name is for a set, such as emnist-letters."""
    return f"{set_name}-{name.replace('t10k', 'test')}.gz"


def upright(part: Part, name: str, origin: str) -> Part:
    """A part of an EMNIST set with its images upright, and its labels from 0.

    Args:
        part: as its files have it; the memory of its images is overwritten.
        name: of the set.
        origin: where it is from.

    Raises:
        InvalidFileError: a label of emnist-letters is not from 1 to 26.
    """
    images, labels = part
    images = rearranged(images, (0, 2, 1, 3)[: images.ndim])
    if "letters" not in name:
        return images, labels
    low, high = int(labels.min()), int(labels.max())
    if low < 1 or high > LETTERS:
        raise InvalidFileError(
            f"{origin}: {name} has labels from {low} to {high}: EMNIST's letters are 1 to {LETTERS}"
        )
    return images, labels - labels.dtype.type(1)


def class_names(folder: Path, set_name: str) -> tuple[str, ...] | None:
    """The names of the classes, by the mapping file in a folder; None where there is none.

    Raises:
        OSError: it cannot be read.
    """
    path = folder / f"{set_name}-mapping.txt"
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return _names_in(file)


def _names_in(file: IO[bytes]) -> tuple[str, ...] | None:
    """The names in a mapping file: a line is a label, and the codes of the characters it is for."""
    text = file.read(LONGEST_MAPPING).decode(errors="replace")
    try:
        rows = [[int(each) for each in line.split()] for line in text.splitlines() if line.strip()]
        names = tuple("".join(map(chr, codes)) for _, *codes in sorted(rows))
    except (ValueError, OverflowError):
        return None
    return names if all(map(str.isprintable, names)) and 0 < len(names) <= MOST_CLASSES else None


def read_zipped(path: Path, origin: str, set_name: str, names: Sequence[str]) -> Zipped:
    """Read a set of gzip.zip, of which nothing is unpacked to disk.

    Args:
        path: of gzip.zip.
        origin: its name in error messages.
        set_name: such as emnist-letters.
        names: of MNIST's four files.

    Returns:
        The arrays in EMNIST's files of these names, in their order, and the names of the classes.

    Raises:
        InvalidFileError: it is damaged, or has not the files of the set.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        try:
            with ZipFile(file) as archive:
                there = {PurePosixPath(each.filename).name: each for each in archive.infolist()}
                arrays = [_member(archive, there, file_name(set_name, name)) for name in names]
                mapping = there.get(f"{set_name}-mapping.txt")
                if mapping is None:
                    return arrays, None
                with archive.open(mapping) as text:
                    return arrays, _names_in(text)
        except InvalidFileError as error:
            raise InvalidFileError(f"{origin}: {error}") from error
        except DAMAGE as error:
            raise InvalidFileError(
                f"{origin} is not EMNIST's gzip.zip ({printable(error)}): give another copy"
            ) from error


def _member(archive: ZipFile, there: dict[str, ZipInfo], name: str) -> NDArray[Any]:
    if name not in there:
        raise InvalidFileError(
            f"there is no {name} in it: give EMNIST's gzip.zip, or its IDX files"
        )
    member = there[name]
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed by another method than deflate")
    with cast(BufferedIOBase, archive.open(member)) as content:
        return read_opened_idx(content, member.file_size, name, DIMENSIONS)
