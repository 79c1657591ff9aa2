import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from datasets.sample_files import NAMES, idx_bytes, small_set
from gpucnn.datasets import emnist, load_dataset
from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError, InvalidValueError


def files() -> dict[str, bytes]:
    """The files of two sets, of which digits has two images more."""
    contents = {}
    for split, more in (("letters", 0), ("digits", 2)):
        for name, array in small_set().items():
            stored = array.swapaxes(1, 2) if "images" in name else array + (split == "letters")
            if "train" in name:
                stored = np.concatenate([stored, stored[:more]])
            file = f"emnist-{split}-{name.replace('t10k', 'test')}.gz"
            contents[file] = gzip.compress(idx_bytes(stored))
    contents["emnist-digits-mapping.txt"] = b"".join(b"%d %d\n" % (n, 48 + n) for n in range(10))
    contents["emnist-letters-mapping.txt"] = b"".join(
        b"%d %d %d\n" % (n, 64 + n, 96 + n) for n in range(1, 27)
    )
    return contents


@pytest.fixture(params=["folder", "gzip", "zip", "zip in a folder", "address", "zip of an address"])
def source(request: pytest.FixtureRequest, tmp_path: Path, cache: Path) -> str:
    folder = tmp_path / "gzip"
    folder.mkdir()
    if "zip" in request.param.split():
        with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as archive:
            for name, content in files().items():
                archive.writestr(f"gzip/{name}", content)
        path = tmp_path / "gzip.zip"
        return {"zip": str(path), "zip of an address": path.as_uri()}.get(
            request.param, str(tmp_path)
        )
    for name, content in files().items():
        (folder / name).write_bytes(content)
    return {"folder": str(folder), "address": folder.as_uri()}.get(request.param, str(tmp_path))


def check(parts: tuple[Part, Part], more: int) -> None:
    (x_train, y_train), (x_test, y_test) = parts
    expected = small_set()
    np.testing.assert_array_equal(x_train[:3], expected[NAMES[0]], strict=True)
    np.testing.assert_array_equal(y_train[:3], expected[NAMES[1]], strict=True)
    np.testing.assert_array_equal(x_test, expected[NAMES[2]], strict=True)
    np.testing.assert_array_equal(y_test, expected[NAMES[3]], strict=True)
    assert len(x_train) == len(y_train) == 3 + more


def test_each_source(source: str) -> None:
    check(emnist.load_data(source, "letters"), 0)
    check(emnist.load_data(source, split="digits"), 2)


def test_sets_that_are_not_there(tmp_path: Path) -> None:
    for name, content in files().items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidFileError) as caught:
        emnist.load_data(tmp_path)
    assert str(caught.value) == (
        f"there is no emnist-balanced in {tmp_path}, but emnist-digits, emnist-letters: "
        "give the folder of it"
    )
    with pytest.raises(InvalidValueError, match="split is 'all': choose one of balanced, byclass"):
        emnist.load_data(tmp_path, "all")  # type: ignore[arg-type]


def test_names_of_the_classes(tmp_path: Path) -> None:
    for name, content in files().items():
        if "letters" in name:
            (tmp_path / name).write_bytes(content)
    names = load_dataset(tmp_path).class_names
    assert names is not None
    assert (names[0], names[25], len(names)) == ("Aa", "Zz", 26)
    (tmp_path / "emnist-letters-mapping.txt").write_bytes(b"1 99999999999\n")
    assert load_dataset(tmp_path).class_names is None


@pytest.mark.parametrize("content", [b"<html>", b"PK\x05\x06" + bytes(18)])
def test_damaged_zips(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gzip.zip").write_bytes(content)
    with pytest.raises(InvalidFileError, match=r"gzip\.zip(: there is no|is not| is not)"):
        emnist.load_data(tmp_path / "gzip.zip")


def test_zips_are_not_read_without_a_split(tmp_path: Path) -> None:
    (tmp_path / "gzip.zip").touch()
    with pytest.raises(InvalidFileError, match="is to be unpacked first"):
        load_dataset(tmp_path / "gzip.zip")
