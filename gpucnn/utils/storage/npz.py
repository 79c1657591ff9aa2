"""NumPy's `.npz` files, which are zip archives of `.npy` files."""

from collections.abc import Collection, Sequence
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gpucnn.errors import InvalidFileError, printable
from gpucnn.utils.storage.bounds import DEFLATE_RATIO, LARGEST_ARRAY
from gpucnn.utils.storage.damage import DAMAGE

SUFFIX = ".npz"


def npz_bytes(arrays: dict[str, NDArray[Any]]) -> bytes:
    """The content of a file that `numpy.load` reads: the arrays, by name."""
    content = BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez(content, **named)
    return content.getvalue()


def read_npz(
    path: Path, origin: str, names: Sequence[str] | None = None
) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers from a `.npz` file; nothing in it is executed.

    It allocates no more memory than the arrays need, and only after checking that a file of this
    size can hold what it declares.

    Args:
        path: the file.
        origin: the file's name in error messages.
        names: of the arrays to read; None for all that are there.

    Returns:
        The arrays by name, in the order of `names`, C-contiguous, in native byte order.

    Raises:
        InvalidFileError: there is no such file, it is damaged, has no arrays of these names, or
            they do not hold numbers.
        OSError: the file cannot be opened.
    """
    if not path.is_file():
        raise InvalidFileError(f"there is no file {origin}: give one of NumPy's .npz")
    with path.open("rb") as file:
        try:
            with ZipFile(file) as archive:
                members = _members(archive, origin, names)
                _check_sizes(members.values(), path.stat().st_size)
                return {name: _read_member(archive, each) for name, each in members.items()}
        except InvalidFileError:
            raise
        except DAMAGE as error:
            raise InvalidFileError(
                f"{origin} is not NumPy's .npz of numbers ({printable(error)}): give another copy"
            ) from error


def _members(archive: ZipFile, origin: str, names: Sequence[str] | None) -> dict[str, ZipInfo]:
    there = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
    if names is None:
        return there
    for name in names:
        if name not in there:
            others = printable(", ".join(there) or "none")
            raise InvalidFileError(
                f"{origin} has no array {name}, its arrays are: {others}; give a file with "
                f"{', '.join(names)}"
            )
    return {name: there[name] for name in names}


def _check_sizes(members: Collection[ZipInfo], file_size: int) -> None:
    """Check that the members, of a file of `file_size` bytes, can have the sizes that they say.

    Raises:
        ValueError: they cannot.
    """
    for each in members:
        if each.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise ValueError(f"{each.filename} is compressed by another method than deflate")
    size = sum(each.file_size for each in members)
    if size > file_size * DEFLATE_RATIO:
        raise ValueError(f"it says that it holds {size} bytes")


def _read_member(archive: ZipFile, member: ZipInfo) -> NDArray[Any]:
    """The array in a member of the archive.

    Raises:
        DAMAGE: it is damaged.
    """
    with archive.open(member) as content:
        size = _declared_size(content)
    if not 0 < size <= min(LARGEST_ARRAY, member.file_size):
        raise ValueError(f"{member.filename} says that it holds {size} bytes")
    with archive.open(member) as content:
        array = npy.read_array(content, allow_pickle=False)
        if content.read(1):  # reading to the end also verifies the checksum
            raise ValueError(f"{member.filename} is longer than its header says")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _declared_size(content: Any) -> int:
    """The number of bytes that the header of a `.npy` file declares."""
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = read_header[npy.read_magic(content)](content)
    if dtype.kind not in "iuf":
        raise ValueError(f"it holds {dtype}")
    return prod(shape) * dtype.itemsize
