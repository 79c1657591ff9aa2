"""Reading an IDX file, plain or gzip.

The `mnist` package parses the file. What it would not notice, or only after taking memory for it,
is checked before.
"""

import gzip
import struct
import zlib
from collections.abc import Callable
from io import BufferedIOBase, BufferedReader, BytesIO
from math import prod
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidFileError

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 8  # the code of the type in an IDX file
LARGEST_BODY = 2**31  # bytes: the file is held in memory, several times over while it is parsed
CHUNK = 2**20  # bytes read at a time

ByteArray: TypeAlias = NDArray[np.uint8]
Read: TypeAlias = Callable[[Path, str], ByteArray]  # of a path, and what errors call the file


def read_idx(path: Path, origin: str, dimensions: int) -> ByteArray:
    """The array in an IDX file of unsigned bytes, C-contiguous.

    Args:
        path: the file; whether it is gzip is seen from its first bytes.
        origin: what errors call the file.
        dimensions: the number of dimensions that the array must have.

    Raises:
        InvalidFileError: there is no such file, it is damaged, or it is not such an IDX file.
        OSError: the file cannot be read.
    """
    if path.is_dir():
        raise InvalidFileError(f"{origin} is a directory: give an IDX file, plain or gzip")
    if not path.is_file():
        raise InvalidFileError(f"there is no file {origin}: give an IDX file, plain or gzip")
    try:
        with path.open("rb") as file, _uncompressed(file) as content:
            header = _read_header(content, origin, dimensions)
            held = BytesIO()  # once: a file may be a good part of the memory
            held.write(header)
            _read_body(content, origin, _sizes(header, origin), held)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidFileError(
            f"{origin} is a damaged gzip file ({error}): give another copy"
        ) from error
    return _parse(held)


def _uncompressed(file: BufferedReader) -> BufferedIOBase:
    is_gzip = file.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
    return gzip.GzipFile(fileobj=file) if is_gzip else file


def _read_header(content: BufferedIOBase, origin: str, dimensions: int) -> bytes:
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    length = len(magic) + 4 * dimensions
    header = content.read(length)
    start = header[: len(magic)]
    if not magic.startswith(start):
        raise InvalidFileError(
            f"{origin} starts with the bytes {start.hex(' ')}: "
            f"give an IDX file of unsigned bytes in {dimensions} "
            f"dimension{'s' * (dimensions > 1)}, which starts with {magic.hex(' ')}"
        )
    if len(header) < length:
        raise InvalidFileError(
            f"{origin} is cut short: it has {len(header)} of the {length} bytes of its header: "
            "give a whole copy"
        )
    return header


def _sizes(header: bytes, origin: str) -> tuple[int, ...]:
    sizes = struct.unpack(f">{header[3]}I", header[4:])
    if not 0 < prod(sizes) <= LARGEST_BODY:
        raise InvalidFileError(
            f"{origin} has a header that says {_in_bytes(sizes)}: "
            f"give a file that holds 1 to {LARGEST_BODY} bytes"
        )
    return sizes


def _read_body(content: BufferedIOBase, origin: str, sizes: tuple[int, ...], held: BytesIO) -> None:
    expected = prod(sizes)
    # One byte more than there should be: gzip is checked when its end is read.
    length = _copy_at_most(content, expected + 1, held)
    if length < expected:
        raise InvalidFileError(
            f"{origin} is cut short: its header says {_in_bytes(sizes)}, "
            f"but {length} follow: give a whole copy"
        )
    if length > expected:
        raise InvalidFileError(
            f"{origin} is too long: its header says {_in_bytes(sizes)}, "
            f"but at least {length} follow: give another copy"
        )


def _copy_at_most(content: BufferedIOBase, limit: int, held: BytesIO) -> int:
    # In chunks: reading the whole at once takes memory for all that the header promises.
    left = limit
    while left and (chunk := content.read(min(left, CHUNK))):
        held.write(chunk)
        left -= len(chunk)
    return limit - left


def _parse(held: BytesIO) -> ByteArray:
    import mnist  # imported here: it brings urllib, and `import gpucnn` stays light

    held.seek(0)
    array: ByteArray = mnist.parse_idx(held)
    return array


def _in_bytes(sizes: tuple[int, ...]) -> str:
    factors = " x ".join(map(str, sizes))
    return f"{factors} = {prod(sizes)} bytes" if len(sizes) > 1 else f"{factors} bytes"
