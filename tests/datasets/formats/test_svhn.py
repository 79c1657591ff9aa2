import random
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from datasets.sample_cifar import images
from gpucnn.datasets.formats.svhn import read_svhn
from gpucnn.errors import InvalidFileError, MissingExtraError

LABELS = np.array([10, 1, 9], np.uint8)


def write_svhn(path: Path, x: Any = None, y: Any = None, **options: Any) -> Path:
    pixels = images(3) if x is None else x
    labels = LABELS[:, None] if y is None else y
    savemat(path, {"X": pixels.transpose(1, 2, 3, 0), "y": labels}, **options)
    return path


def refused(path: Path) -> str:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidFileError) as caught:
            read_svhn(path, "<set>")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**20 + 10 * path.stat().st_size
    assert "<set>" in str(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.fixture(autouse=True)
def scipy_is_imported() -> None:
    """So that the memory that it takes is not counted."""


@pytest.mark.parametrize("compressed", [False, True])
def test_reads_images_and_digits(tmp_path: Path, compressed: bool) -> None:
    path = write_svhn(tmp_path / "train_32x32.mat", do_compression=compressed)
    pixels, labels = read_svhn(path, "<set>")
    np.testing.assert_array_equal(pixels, images(3), strict=True)
    np.testing.assert_array_equal(labels, np.array([0, 1, 9], np.uint8), strict=True)
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("compressed", [False, True])
def test_memory_is_that_of_what_is_kept(tmp_path: Path, compressed: bool) -> None:
    pixels, labels = images(4000), np.ones((4000, 1), np.uint8)
    path = write_svhn(tmp_path / "a.mat", pixels, labels, do_compression=compressed)
    tracemalloc.start()
    kept, _ = read_svhn(path, "<set>")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < kept.nbytes + 5 * 2**20


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (images(3).astype(float), None),
        (images(3)[..., :2], None),
        (images(3)[:, :16], None),
        (images(2), None),
        (None, LABELS),
        (None, LABELS.astype(float)[:, None]),
    ],
)
def test_files_of_something_else(tmp_path: Path, x: Any, y: Any) -> None:
    text = refused(write_svhn(tmp_path / "a.mat", x, y))
    assert "is not SVHN's .mat of cropped digits (it has X " in text


def test_files_of_nothing(tmp_path: Path) -> None:
    path = write_svhn(tmp_path / "a.mat", images(0), np.zeros((0, 1), np.uint8))
    assert "it says that it holds 0 bytes" in refused(path)


def test_labels_of_no_digit(tmp_path: Path) -> None:
    path = write_svhn(tmp_path / "a.mat", y=LABELS[:, None] + np.uint8(1))
    assert "it has a label 11, of digits from 1 to 10" in refused(path)


def test_version_7_3(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["X"] = images(3).transpose(0, 3, 2, 1)
    text = "<set> is of MATLAB's version 7.3, which is not read: save it as version 7"
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(header + path.read_bytes()[128:])
    assert text in refused(path)
    with h5py.File(path, "w") as file:
        file["X"] = images(3)
    assert text in refused(path)


@pytest.mark.parametrize("content", [b"", b"<html>", bytes(1000)])
def test_files_that_are_not_of_matlab(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    assert "<set> is not MATLAB's, of version 5 or 7" in refused(tmp_path / "a.mat")
    assert refused(tmp_path) == "there is no file <set>: give one of SVHN's .mat"


def test_without_scipy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_svhn(tmp_path / "a.mat")
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"needs scipy.*: pip install 'gpucnn\[svhn\]'"):
        read_svhn(path, "<set>")


@pytest.mark.parametrize("compressed", [False, True])
def test_mutated_files_are_read_or_refused_in_one_line(tmp_path: Path, compressed: bool) -> None:
    path = write_svhn(tmp_path / "a.mat", do_compression=compressed)
    content = path.read_bytes()
    draw = random.Random(18)
    read = 0
    for _ in range(150):
        mutant = bytearray(content)
        for _ in range(draw.choice([1, 1, 2, 8])):
            mutant[draw.choice([draw.randrange(len(mutant)), draw.randrange(320)])] ^= (
                1 << draw.randrange(8)
            )
        path.write_bytes(mutant[: draw.choice([len(mutant), draw.randrange(len(mutant))])])
        try:
            pixels, labels = read_svhn(path, "<set>")
        except InvalidFileError:
            pass
        else:
            assert (pixels.shape, labels.shape) == ((3, 32, 32, 3), (3,))
            read += 1
    assert read < 100
