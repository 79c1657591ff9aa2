from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from datasets.sample_cifar import (
    NAMES,
    binary_files,
    cifar10,
    cifar100,
    images,
    planes,
    python2_pickle,
    python_files,
    write_archive,
)
from gpucnn.datasets.formats.archive import Entry, archived
from gpucnn.datasets.formats.cifar import CIFAR10, CIFAR100, Kind, is_cifar, read_cifar
from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError
from memory import most_resident

Read = tuple[Part, Part, tuple[str, ...] | None]


def read(folder: Path, files: dict[str, bytes], labels: str | None = None) -> Read:
    path = folder / "cifar.tar.gz"
    write_archive(path, files)
    return read_cifar(archived(path, "<set>", is_cifar), "<set>", labels)


def refused(folder: Path, files: dict[str, bytes]) -> str:
    with pytest.raises(InvalidFileError, match=r"^<set>") as caught:
        read(folder, files)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    "files",
    [python_files(), python_files(protocol=4), python_files(protocol=2), binary_files()],
    ids=["Python 2", "Python 3", "Python 3 for 2", "binary"],
)
def test_cifar_10(tmp_path: Path, files: dict[str, bytes]) -> None:
    train, test, names = read(tmp_path, files)
    *expected, last = cifar10().values()
    np.testing.assert_array_equal(train[0], np.concatenate([each for each, _ in expected]))
    assert train[1].tolist() == [label for _, labels in expected for label in labels]
    np.testing.assert_array_equal(test[0], last[0])
    assert test[1].tolist() == last[1]
    assert names == NAMES
    for array in (*train, *test):
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous


@pytest.mark.parametrize("files", [python_files(100), binary_files(100)], ids=["2", "binary"])
@pytest.mark.parametrize(("mode", "number"), [("fine", 1), ("coarse", 2)])
def test_cifar_100(tmp_path: Path, files: dict[str, bytes], mode: str, number: int) -> None:
    train, test, names = read(tmp_path, files, f"{mode}_labels")
    for part, expected in zip((train, test), cifar100().values(), strict=True):
        np.testing.assert_array_equal(part[0], expected[0], strict=True)
        assert part[1].tolist() == expected[number]
    assert names is not None
    assert (names[0], len(names)) == (f"{mode}_0", 100 if mode == "fine" else 20)


def test_batches_of_different_sizes(tmp_path: Path) -> None:
    files = python_files()
    batch = {b"data": planes(images(2, seed=9)), b"labels": [4, 5]}
    (_, train_labels), _, _ = read(tmp_path, files | {"data_batch_4": python2_pickle(batch)})
    assert len(train_labels) == 14
    train, _, _ = read(tmp_path, files | {"data_batch_1": python2_pickle(batch)})
    np.testing.assert_array_equal(train[0][:2], images(2, seed=9), strict=True)
    np.testing.assert_array_equal(train[0][2:5], cifar10()["data_batch_2"][0], strict=True)
    assert train[1][:2].tolist() == [4, 5]


@pytest.mark.parametrize("files", [python_files(), binary_files()], ids=["python", "binary"])
def test_names_may_be_missing(tmp_path: Path, files: dict[str, bytes]) -> None:
    without = {name: each for name, each in files.items() if "meta" not in name}
    assert read(tmp_path, without)[2] is None
    assert read(tmp_path, without | {"batches.meta.txt": b"too few"})[2] is None


def test_the_other_set(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="has none of the files of CIFAR-10: if it has oth"):
        read(tmp_path, python_files(100), "labels")
    with pytest.raises(InvalidFileError, match="has none of the files of CIFAR-100: if it has"):
        read(tmp_path, python_files(10), "fine_labels")
    text = "<set> has none of the files of CIFAR-10 or CIFAR-100: if it has other images, unpack it"
    assert refused(tmp_path, {"images/cat/1.png": b""}).startswith(text)


def test_files_that_are_missing(tmp_path: Path) -> None:
    files = python_files()
    del files["data_batch_3"]
    text = "<set> has no data_batch_3 or data_batch_3.bin: give all files of CIFAR-10"
    assert refused(tmp_path, files) == text
    files = binary_files(100)
    del files["train.bin"]
    assert "has no train or train.bin: give all files of CIFAR-100" in refused(tmp_path, files)


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ({}, "has no data of 3072 bytes for each image"),
        ({b"data": np.zeros((3, 3071), np.uint8)}, "has no data of 3072 bytes for each image"),
        ({b"data": b"a"}, "has no data of 3072 bytes for each image"),
        ({b"data": planes(images(3))}, "has no labels for its 3 images"),
        ({b"data": planes(images(3)), b"labels": [1]}, "has no labels for its 3 images"),
        ({b"data": planes(images(0)), b"labels": []}, "has no labels for its 0 images"),
        ({b"data": planes(images(1)), b"labels": [None]}, "has labels that are no classes"),
        ({b"data": planes(images(1)), b"labels": [-1]}, "has labels that are no classes"),
        ({b"data": planes(images(1)), b"labels": [10]}, "has a label 10, of 10 classes"),
    ],
)
def test_batches_of_something_else(tmp_path: Path, batch: dict[bytes, object], reason: str) -> None:
    text = refused(tmp_path, python_files() | {"test_batch": python2_pickle(batch)})
    assert text.startswith(f"<set>: test_batch {reason}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has 0 bytes, which are not whole images of 3073 bytes"),
        (bytes(3072), "has 3072 bytes, which are not whole images of 3073 bytes"),
        (b"\x0a" + bytes(3072), "has a label 10, of 10 classes"),
    ],
)
def test_binary_files_of_something_else(tmp_path: Path, content: bytes, reason: str) -> None:
    text = refused(tmp_path, binary_files() | {"data_batch_2.bin": content})
    assert text.startswith(f"<set>: data_batch_2.bin {reason}")


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("kind", [CIFAR10, CIFAR100], ids=["10", "100"])
def test_memory_is_that_of_what_is_kept(tmp_path: Path, kind: Kind, is_binary: bool) -> None:
    """And of one of CIFAR-10's five batches, and of a few images."""
    count = 4000
    pixels = planes(images(count))
    if is_binary:
        batch = np.hstack([np.zeros((count, len(kind.labels)), np.uint8), pixels]).tobytes()
    else:
        labels = {name.encode(): [0] * count for name in kind.labels}
        batch = python2_pickle({b"data": pixels} | labels)
    names = [f"{name}.bin" if is_binary else name for name in kind.files]
    path = tmp_path / "batch"
    path.write_bytes(batch)
    del batch

    def entries() -> Iterator[Entry]:
        for name in names:
            with path.open("rb") as file:
                yield Entry(name, name, path.stat().st_size, file)

    (train, test, _), most = most_resident(lambda: read_cifar(entries(), "<set>"))
    kept = train[0].nbytes + test[0].nbytes
    assert kept == len(names) * pixels.nbytes
    assert most < kept + (1.2 * pixels.nbytes if kind is CIFAR10 else 0) + 5 * 2**20
