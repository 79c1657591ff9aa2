import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.sample_cifar import binary_files, cifar100, python_files, write_archive, write_files
from gpucnn.datasets import cifar100 as module
from gpucnn.datasets import load_dataset
from gpucnn.errors import InvalidFileError, InvalidValueError


@pytest.mark.parametrize("files", [python_files(100), binary_files(100)], ids=["python", "binary"])
@pytest.mark.parametrize(("mode", "number"), [("fine", 1), ("coarse", 2)])
def test_folders(tmp_path: Path, files: dict[str, bytes], mode: Any, number: int) -> None:
    write_files(tmp_path, files)
    for part, file in zip(module.load_data(mode, tmp_path), cifar100().values(), strict=True):
        np.testing.assert_array_equal(part[0], file[0], strict=True)
        labels = np.array(file[number], np.uint8)[:, None]
        np.testing.assert_array_equal(part[1], labels, strict=True)
    names = load_dataset(tmp_path).class_names
    assert names is not None
    assert (names[99], len(names)) == ("fine_99", 100)


def test_archives(tmp_path: Path) -> None:
    write_archive(tmp_path / "cifar-100-python.tar.gz", python_files(100))
    (_, labels), _ = module.load_data(source=tmp_path)
    assert labels.tolist() == [[99], [98], [97], [96]]


def test_other_labels(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="label_mode is 'all': choose one of fine, coarse"):
        module.load_data("all", tmp_path)  # type: ignore[arg-type]


def test_folders_named_as_its_files_are_not_taken_for_them(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    with pytest.raises(InvalidFileError, match=r"there are no images in .*, but test/, train/: "):
        load_dataset(tmp_path)


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    for name in ("train", "test"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(InvalidFileError, match=r"there are no images in .*, but test, train: "):
        load_dataset(tmp_path)


def test_the_folder_of_another_set(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").touch()
    files = "train, test, or cifar-100-"
    line = f"there is not the set that is asked for in .*: give a folder with {files}"
    with pytest.raises(InvalidFileError, match=line):
        module.load_data(source=tmp_path)
