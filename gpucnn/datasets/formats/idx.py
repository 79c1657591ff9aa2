"""Reading IDX files, plain or gzip.

The format: two zero bytes, the code of the element type, the number of dimensions, the size of each
dimension as a big-endian 32-bit integer, then the elements, big-endian, in row-major order.
"""

import gzip
import struct
import zlib
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidFileError
from gpucnn.utils.storage.bounds import DEFLATE_RATIO, LARGEST_ARRAY

GZIP_MAGIC = b"\x1f\x8b"
TYPES: dict[int, np.dtype[Any]] = {  # by code
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
CHUNK = 2**20  # bytes read at a time


def read_idx(path: Path, origin: str, dimensions: tuple[int, ...]) -> NDArray[Any]:
    """Read the array in an IDX file.

    It allocates no more memory than the array needs, and only after checking that a file of this
    size can hold what its header declares.

    Args:
        path: the file; its first bytes tell whether it is gzip.
        origin: the file's name in error messages.
        dimensions: the allowed numbers of dimensions.

    Returns:
        The array, C-contiguous, of the file's element type in native byte order.

    Raises:
        InvalidFileError: there is no such file, it is damaged, or it is not an IDX file of these
            dimensions.
        OSError: the file cannot be read.
    """
    if path.is_dir():
        raise InvalidFileError(f"{origin} is a directory: give an IDX file, plain or gzip")
    if not path.is_file():
        raise InvalidFileError(f"there is no file {origin}: give an IDX file, plain or gzip")
    with path.open("rb") as file:
        return read_opened_idx(file, path.stat().st_size, origin, dimensions)


def read_opened_idx(
    file: BufferedIOBase, size: int, origin: str, dimensions: tuple[int, ...]
) -> NDArray[Any]:
    """Read the array in an IDX file that is open, of `size` bytes; as `read_idx`."""
    try:
        with _uncompressed(file) as content:
            dtype, sizes = _read_header(content, origin, dimensions)
            _check_size(dtype, sizes, size * (1 if content is file else DEFLATE_RATIO), origin)
            stored = _read_body(content, dtype, sizes, origin)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidFileError(
            f"{origin} is a damaged gzip file ({error}): give another copy"
        ) from error
    native = dtype.newbyteorder("=")
    return stored if dtype == native else stored.byteswap(inplace=True).view(native)


def _uncompressed(file: BufferedIOBase) -> BufferedIOBase:
    is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if is_gzip else file


def _read_header(
    content: BufferedIOBase, origin: str, dimensions: tuple[int, ...]
) -> tuple["np.dtype[Any]", tuple[int, ...]]:
    start = content.read(4)
    allowed = [bytes([0, 0, code, count]) for code in TYPES for count in dimensions]
    if not any(magic.startswith(start) for magic in allowed):
        counts, codes = bytes(dimensions).hex("/"), bytes(TYPES).hex("/")
        raise InvalidFileError(
            f"{origin} starts with the bytes {start.hex(' ')}: give an IDX file of "
            f"{' or '.join(map(str, dimensions))} dimensions, which starts with "
            f"00 00 {codes} {counts}"
        )
    length = 4 + 4 * (start[3] if len(start) == 4 else min(dimensions))
    header = start + content.read(length - len(start))
    if len(header) < length:
        raise InvalidFileError(
            f"{origin} is cut short: it has {len(header)} of the {length} bytes of its header: "
            "give a whole copy"
        )
    return TYPES[start[2]], struct.unpack(f">{start[3]}I", header[4:])


def _check_size(dtype: "np.dtype[Any]", sizes: tuple[int, ...], limit: int, origin: str) -> None:
    """Check that the body's size is allowed, and at most `limit` bytes, the file's capacity."""
    size = prod(sizes) * dtype.itemsize
    if not 0 < size <= LARGEST_ARRAY:
        raise InvalidFileError(
            f"{origin} has a header that says {_in_bytes(dtype, sizes)}: "
            f"give a file that holds 1 to {LARGEST_ARRAY} bytes"
        )
    if size > limit:
        raise InvalidFileError(
            f"{origin} is cut short: its header says {_in_bytes(dtype, sizes)}, "
            f"but a file of its size holds {limit} at most: give a whole copy"
        )


def _read_body(
    content: BufferedIOBase, dtype: "np.dtype[Any]", sizes: tuple[int, ...], origin: str
) -> NDArray[Any]:
    array: NDArray[Any] = np.empty(sizes, dtype)
    body = array.reshape(-1).view(np.uint8).data
    length = _fill(body, content)
    if length < len(body):
        raise InvalidFileError(
            f"{origin} is cut short: its header says {_in_bytes(dtype, sizes)}, "
            f"but {length} follow: give a whole copy"
        )
    if content.read(1):  # reading to the end also makes gzip verify its checksum
        raise InvalidFileError(
            f"{origin} is too long: its header says {_in_bytes(dtype, sizes)}, "
            "but more follow: give another copy"
        )
    return array


def _fill(target: memoryview, content: BufferedIOBase) -> int:
    """Read from `content` until `target` is full or the content ends; return the bytes read."""
    # In chunks, since gzip allocates a buffer as large as the read.
    length = 0
    while count := content.readinto(target[length : length + CHUNK]):
        length += count
    return length


def _in_bytes(dtype: "np.dtype[Any]", sizes: tuple[int, ...]) -> str:
    factors = sizes if dtype.itemsize == 1 else (*sizes, dtype.itemsize)
    product = " x ".join(map(str, factors))
    size = prod(factors)
    return f"{product} = {size} bytes" if len(factors) > 1 else f"{size} bytes"
