import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpucnn
from datasets.photos.example_photos import write_classes
from datasets.sample_cifar import (
    NAMES,
    binary_files,
    cifar10,
    python_files,
    write_archive,
    write_files,
)
from gpucnn.datasets import cifar10 as module
from gpucnn.datasets import load_dataset
from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError

(*TRAIN, TEST) = cifar10().values()


def check(parts: tuple[Part, Part]) -> None:
    (x_train, y_train), (x_test, y_test) = parts
    np.testing.assert_array_equal(x_train, np.concatenate([each for each, _ in TRAIN]), strict=True)
    np.testing.assert_array_equal(x_test, TEST[0], strict=True)
    labels = [[label] for _, labels in TRAIN for label in labels]
    np.testing.assert_array_equal(y_train, np.array(labels, np.uint8), strict=True)
    assert y_test.shape == (3, 1)


@pytest.mark.parametrize("files", [python_files(), binary_files()], ids=["python", "binary"])
@pytest.mark.parametrize("inside", [".", "cifar-10-batches-py", "cifar-10-x/cifar-10-batches-py"])
def test_folders(tmp_path: Path, files: dict[str, bytes], inside: str) -> None:
    (tmp_path / inside).mkdir(parents=True, exist_ok=True)
    write_files(tmp_path / inside, files)
    check(module.load_data(tmp_path))
    dataset = load_dataset(tmp_path)
    assert dataset.class_names == NAMES
    assert dataset.train[1].shape == (15,)
    assert dataset.image_shape == (32, 32, 3)


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "cifar-10-batches-py-target.tar.gz"])
def test_archives(tmp_path: Path, cache: Path, name: str) -> None:
    path = tmp_path / name
    write_archive(path, python_files())
    for source in (path, tmp_path, path.as_uri()):
        check(module.load_data(source))
    assert load_dataset(path).class_names == NAMES
    path.unlink()
    check(module.load_data(path.as_uri()))


def test_the_archive_beside_its_files(tmp_path: Path) -> None:
    write_archive(tmp_path / "cifar-10-python.tar.gz", {})
    write_files(tmp_path / "cifar-10-batches-py", python_files())
    check(module.load_data(tmp_path))


def test_beside_the_other_set(tmp_path: Path) -> None:
    write_files(tmp_path / "cifar-10-batches-py", python_files())
    write_files(tmp_path / "cifar-100-python", python_files(100))
    check(module.load_data(tmp_path))
    with pytest.raises(InvalidFileError, match="there is no"):
        module.load_data(tmp_path / "cifar-100-python")


def test_arrays_as_keras_has_them(tmp_path: Path) -> None:
    (x, y), (x_test, y_test) = TRAIN[0], TEST
    np.savez(
        tmp_path / "cifar10.npz",
        x_train=x,
        y_train=np.array(y)[:, None],
        x_test=x_test,
        y_test=y_test,
    )
    (x_read, y_read), _ = module.load_data(tmp_path)
    np.testing.assert_array_equal(x_read, x, strict=True)
    assert y_read.shape == (3, 1)


def test_a_folder_of_photographs(tmp_path: Path) -> None:
    write_classes(tmp_path, ["cat", "dog"], 5)
    (x_train, y_train), (_, y_test) = module.load_data(tmp_path)
    assert (len(x_train), sorted(y_train[:, 0]), sorted(y_test[:, 0])) == (
        8,
        [0] * 4 + [1] * 4,
        [0, 1],
    )


@pytest.mark.parametrize("missing", ["data_batch_2", "test_batch"])
def test_missing_files(tmp_path: Path, missing: str) -> None:
    write_files(tmp_path, python_files())
    (tmp_path / missing).unlink()
    with pytest.raises(InvalidFileError) as caught:
        load_dataset(tmp_path)
    assert str(caught.value) == (
        f"there is no {missing} in {tmp_path}: give all files of the set, data_batch_1, "
        "data_batch_2, data_batch_3, data_batch_4, data_batch_5, test_batch"
    )


def test_damaged_archive_of_an_address_is_not_kept(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(b"<html>")
    with pytest.raises(InvalidFileError, match=f"^{re.escape(path.as_uri())} is not an archive"):
        module.load_data(path.as_uri())
    write_archive(path, python_files())
    check(module.load_data(path.as_uri()))


def test_ways_to_import() -> None:
    imported: Any = importlib.import_module("gpucnn.datasets.cifar10")
    assert imported.load_data is gpucnn.datasets.cifar10.load_data is module.load_data


def test_fit_takes_it(tmp_path: Path) -> None:
    write_files(tmp_path, python_files())
    (x_train, y_train), test = module.load_data(tmp_path)
    layers: Any = gpucnn.layers
    model = gpucnn.Sequential([layers.Input((32, 32, 3)), layers.Flatten(), layers.Dense(10)])
    model.compile()
    history = model.fit(x_train, y_train, epochs=1, validation_data=test, verbose=0)
    assert np.isfinite(history.history["val_loss"]).all()
