import errno
import gzip
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import DTypeLike, NDArray

from datasets.sample_files import CODES, idx_bytes, idx_header
from gpucnn.datasets.formats.idx import read_idx
from gpucnn.errors import InvalidFileError
from memory import allocated

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def error_of(path: Path, *dimensions: int) -> str:
    """The error message for the file; checks that it is one line with the file's name."""
    with pytest.raises(InvalidFileError) as caught:
        read_idx(path, f"<{path.name}>", dimensions or (3,))
    text = str(caught.value)
    assert f"<{path.name}>" in text
    assert "\n" not in text
    return text


def array_or_error(path: Path) -> NDArray[Any] | str:
    try:
        return read_idx(path, "<images>", (3,))
    except InvalidFileError as error:
        return str(error)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "images"
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx")


@pytest.mark.parametrize("dtype", CODES)
@settings(max_examples=30)
@given(data=st.data(), compressed=st.booleans())
def test_reads_what_was_written(
    folder: Path, dtype: DTypeLike, data: st.DataObject, compressed: bool
) -> None:
    array = data.draw(arrays(dtype, array_shapes(min_dims=1, max_dims=3, max_side=6)))
    content = idx_bytes(array)
    path = written(folder, gzip.compress(content) if compressed else content)
    read = read_idx(path, "images", (array.ndim,))
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, array)


def test_elements_are_big_endian(tmp_path: Path) -> None:
    path = written(tmp_path, idx_header(2, code=0xB) + b"\x01\x02\xff\xfe")
    np.testing.assert_array_equal(read_idx(path, "labels", (1,)), [0x0102, -2])


@given(
    start=st.sampled_from([b"", b"\0\0", b"\0\0\x08\3", idx_header(2, 1, 3), b"\x1f\x8b\x08\0"]),
    rest=st.binary(max_size=24),
    compressed=st.booleans(),
)
def test_any_content_is_an_array_or_one_clear_line(
    folder: Path, start: bytes, rest: bytes, compressed: bool
) -> None:
    path = written(folder, gzip.compress(start + rest) if compressed else start + rest)
    outcome = array_or_error(path)
    if isinstance(outcome, str):
        assert outcome.startswith("<images> ")
        assert "give a" in outcome
        assert "\n" not in outcome
    else:
        assert idx_bytes(outcome) == start + rest


def test_missing(tmp_path: Path) -> None:
    assert "there is no file <nothing>: give an IDX file" in error_of(tmp_path / "nothing")


def test_directory(tmp_path: Path) -> None:
    assert "is a directory: give an IDX file" in error_of(tmp_path)


def test_empty(tmp_path: Path) -> None:
    assert "has 0 of the 16 bytes of its header" in error_of(written(tmp_path, b""))


def test_header_cut_short(tmp_path: Path) -> None:
    text = error_of(written(tmp_path, idx_bytes(IMAGES)[:9]))
    assert "is cut short: it has 9 of the 16 bytes of its header" in text


def test_labels_where_images_are_expected(tmp_path: Path) -> None:
    text = error_of(written(tmp_path, idx_bytes(np.zeros(20, np.uint8))))
    assert "starts with the bytes 00 00 08 01" in text
    assert "of 3 dimensions, which starts with 00 00 08/09/0b/0c/0d/0e 03" in text


def test_images_where_labels_are_expected(tmp_path: Path) -> None:
    text = error_of(written(tmp_path, idx_bytes(IMAGES)), 1, 2)
    assert "starts with the bytes 00 00 08 03" in text
    assert "of 1 or 2 dimensions, which starts with 00 00 08/09/0b/0c/0d/0e 01/02" in text


@pytest.mark.parametrize("content", [b"<!DOCTYPE html>", b"404", b"\x89PNG\r\n\x1a\n"])
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    text = error_of(written(tmp_path, content))
    assert f"starts with the bytes {content[:4].hex(' ')}" in text


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((0, 28, 28), "0 x 28 x 28 = 0 bytes"),
        ((2, 3, 0), "2 x 3 x 0 = 0 bytes"),
        ((2**21, 32, 33), "2097152 x 32 x 33 = 2214592512 bytes"),
        ((2**32 - 1,) * 3, "4294967295 x 4294967295 x 4294967295 ="),
    ],
)
def test_sizes_that_cannot_be(tmp_path: Path, sizes: tuple[int, ...], said: str) -> None:
    text = error_of(written(tmp_path, idx_header(*sizes) + bytes(10)))
    assert f"has a header that says {said}" in text
    assert "1 to 2147483648 bytes" in text


@pytest.mark.parametrize("compressed", [False, True])
def test_body_cut_short(tmp_path: Path, compressed: bool) -> None:
    content = idx_bytes(IMAGES)[:-1]
    text = error_of(written(tmp_path, gzip.compress(content) if compressed else content))
    assert "is cut short: its header says 2 x 3 x 4 = 24 bytes, but 23 follow" in text


@pytest.mark.parametrize("compressed", [False, True])
def test_body_too_long(tmp_path: Path, compressed: bool) -> None:
    content = idx_bytes(IMAGES) + bytes(7)
    text = error_of(written(tmp_path, gzip.compress(content) if compressed else content))
    assert "is too long: its header says 2 x 3 x 4 = 24 bytes, but more follow" in text


def test_labels_count_in_one_dimension(tmp_path: Path) -> None:
    text = error_of(written(tmp_path, idx_header(5) + bytes(3)), 1)
    assert "its header says 5 bytes, but 3 follow" in text


def test_sizes_of_wider_elements(tmp_path: Path) -> None:
    text = error_of(written(tmp_path, idx_header(5, code=0xC) + bytes(19)), 1)
    assert "its header says 5 x 4 = 20 bytes, but 19 follow" in text


@pytest.mark.parametrize("removed", [1, 8, 12, 30])
def test_gzip_cut_short(tmp_path: Path, removed: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (5, 6, 7), np.uint8)
    content = gzip.compress(idx_bytes(noise))
    assert "is a damaged gzip file" in error_of(written(tmp_path, content[:-removed]))


def test_gzip_with_a_wrong_checksum(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(idx_bytes(IMAGES)))
    content[-8] ^= 1
    text = error_of(written(tmp_path, bytes(content)))
    assert "is a damaged gzip file (CRC check failed" in text


def test_gzip_with_a_broken_stream(tmp_path: Path) -> None:
    content = gzip.compress(idx_bytes(IMAGES))
    broken = content[:10] + b"\xff" * 20
    with pytest.raises(zlib.error):
        gzip.decompress(broken)
    assert "is a damaged gzip file" in error_of(written(tmp_path, broken))


def test_gzip_followed_by_something_else(tmp_path: Path) -> None:
    content = gzip.compress(idx_bytes(IMAGES)) + b"more"
    assert "is a damaged gzip file" in error_of(written(tmp_path, content))


def peak_of(path: Path) -> int:
    """The peak memory, in bytes, of reading the file."""
    return allocated(partial(array_or_error, path))


@pytest.mark.parametrize("header", [idx_header(1, 2, 2), idx_header(2, 2**15, 2**15)])
def test_takes_no_memory_for_what_is_refused(tmp_path: Path, header: bytes) -> None:
    path = written(tmp_path, gzip.compress(header + bytes(30 * 2**20 * (header[7] == 1)), 1))
    assert isinstance(array_or_error(path), str)
    assert peak_of(path) < 4 * 2**20


def test_takes_no_memory_for_a_plain_file_cut_short(tmp_path: Path) -> None:
    path = written(tmp_path, idx_header(2, 2**12, 2**12) + bytes(4))
    assert "a file of its size holds 20 at most" in error_of(path)
    assert peak_of(path) < 2**20


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64"])
def test_takes_the_memory_of_the_array_and_little_more(tmp_path: Path, dtype: str) -> None:
    array = np.zeros((8, 2**10, 2**10), dtype)
    path = written(tmp_path, gzip.compress(idx_bytes(array), 1))
    assert not isinstance(array_or_error(path), str)
    assert peak_of(path) < array.nbytes + 5 * 2**20


def test_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, idx_bytes(IMAGES))

    def refuse(self: Path, mode: str = "r") -> None:  # file modes do not bind the superuser
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match="images"):
        read_idx(path, "images", (3,))
