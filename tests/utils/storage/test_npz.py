import random
import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from gpucnn.errors import InvalidFileError
from gpucnn.utils.storage.npz import read_npz

ARRAYS: dict[str, NDArray[Any]] = {
    "x": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "y": np.array([3, 4], np.int64),
}


def written(folder: Path, arrays: dict[str, Any], compressed: bool = False) -> Path:
    path = folder / "set.npz"
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def with_member(folder: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "set.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", content)
    return path


def header(description: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(description).to_bytes(2, "little") + description.encode()


def error_of(path: Path, *names: str) -> str:
    with pytest.raises(InvalidFileError) as caught:
        read_npz(path, "<set>", names or ("x",))
    text = str(caught.value)
    assert "<set>" in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("compressed", [False, True])
def test_reads_what_was_written(tmp_path: Path, compressed: bool) -> None:
    path = written(tmp_path, ARRAYS, compressed)
    y, x = read_npz(path, "<set>", ("y", "x")).values()
    np.testing.assert_array_equal(x, ARRAYS["x"], strict=True)
    np.testing.assert_array_equal(y, ARRAYS["y"], strict=True)


@pytest.mark.parametrize("dtype", [">i4", "<u2", ">f8", "float16"])
def test_any_order_of_bytes_and_elements(tmp_path: Path, dtype: DTypeLike) -> None:
    array = np.asfortranarray(ARRAYS["x"].astype(dtype))
    (read,) = read_npz(written(tmp_path, {"x": array}), "<set>", ("x",)).values()
    assert read.dtype.isnative
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, array)


def test_an_array_that_is_not_there(tmp_path: Path) -> None:
    text = error_of(written(tmp_path, ARRAYS), "x_train", "y_train")
    assert text == (
        "<set> has no array x_train, its arrays are: x, y; give a file with x_train, y_train"
    )


@pytest.mark.parametrize("array", [["a", "b"], [None], [1j], [True]])
def test_arrays_of_no_numbers(tmp_path: Path, array: list[Any]) -> None:
    path = written(tmp_path, {"x": np.array(array)})
    assert "is not NumPy's .npz of numbers (it holds " in error_of(path)


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "harm",)

    path = written(tmp_path, {"x": np.array([Harmful()], object)})
    assert "it holds object" in error_of(path)
    assert not (tmp_path / "harm").exists()


def test_no_such_file_and_no_archive(tmp_path: Path) -> None:
    assert "there is no file <set>" in error_of(tmp_path)
    (tmp_path / "a").write_bytes(b"PK" + bytes(100))
    assert "is not NumPy's .npz of numbers (File is not a zip file)" in error_of(tmp_path / "a")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(tmp_path: Path, method: int) -> None:
    content = BytesIO()
    np.save(content, ARRAYS["x"])
    text = error_of(with_member(tmp_path, content.getvalue(), method))
    assert "x.npy is compressed by another method than deflate" in text


@pytest.mark.parametrize("shape", ["(1000000000,)", "(0, 3)", "(3, -1)", "(1 << 40,)", "(2.5,)"])
def test_headers_that_lie(tmp_path: Path, shape: str) -> None:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}"
    path = with_member(tmp_path, header(text) + bytes(10))
    tracemalloc.start()
    assert "is not NumPy's .npz of numbers" in error_of(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**20


@pytest.mark.parametrize("size", [9, 11])
def test_bodies_of_another_length(tmp_path: Path, size: int) -> None:
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (10,)}"
    assert "is not NumPy's .npz" in error_of(with_member(tmp_path, header(text) + bytes(size)))


@pytest.mark.parametrize("compressed", [False, True])
def test_mutated_files_are_read_or_refused_in_one_line(tmp_path: Path, compressed: bool) -> None:
    path = written(tmp_path, ARRAYS, compressed)
    content = path.read_bytes()
    draw = random.Random(18)
    refused = 0
    for _ in range(300):
        mutant = bytearray(content)
        for _ in range(draw.choice([1, 1, 2, 8])):
            mutant[draw.randrange(len(mutant))] = draw.randrange(256)
        path.write_bytes(mutant[: draw.choice([len(mutant), draw.randrange(len(mutant))])])
        try:
            read_npz(path, "<set>", ("x", "y"))
        except InvalidFileError:
            refused += 1
    assert refused > 200


def test_all_arrays(tmp_path: Path) -> None:
    read = read_npz(written(tmp_path, ARRAYS), "<set>")
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array, strict=True)


def test_many_members_of_the_same_bytes(tmp_path: Path) -> None:
    """Of a file whose members overlap, each of which could be in it alone."""
    path = written(tmp_path, {"x": np.zeros(10**6, np.uint8)}, compressed=True)
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    entry, end = content[start:-22], bytearray(content[-22:])
    count = 1000
    entries = b"".join(entry.replace(b"x.npy", b"%05d" % each) for each in range(count))
    end[8:16] = count.to_bytes(2, "little") * 2 + len(entries).to_bytes(4, "little")
    path.write_bytes(content[:start] + entries + end)
    with pytest.raises(InvalidFileError, match=r"it says that it holds 1000\d+ bytes"):
        read_npz(path, "<set>")
