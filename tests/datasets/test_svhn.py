import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from datasets.sample_cifar import images
from gpucnn.datasets import load_dataset, svhn
from gpucnn.errors import InvalidFileError


def write(folder: Path) -> Path:
    for part, labels in (("train", [10, 3, 1]), ("test", [9, 10])):
        variables: dict[str, Any] = {"X": images(len(labels)).transpose(1, 2, 3, 0)}
        variables["y"] = np.array(labels, np.uint8)[:, None]
        savemat(folder / f"{part}_32x32.mat", variables, do_compression=True)
    return folder


def test_folders_and_addresses(tmp_path: Path, cache: Path) -> None:
    write(tmp_path)
    for parts in (svhn.load_data(tmp_path), svhn.load_data(tmp_path.as_uri())):
        for part, labels in zip(parts, ([0, 3, 1], [9, 0]), strict=True):
            np.testing.assert_array_equal(part[0], images(len(labels)), strict=True)
            np.testing.assert_array_equal(part[1], np.array(labels, np.uint8), strict=True)
    assert load_dataset(tmp_path).image_shape == (32, 32, 3)


def test_missing_and_single_files(tmp_path: Path) -> None:
    path = write(tmp_path) / "test_32x32.mat"
    with pytest.raises(InvalidFileError, match=r"give the folder of train_32x32\.mat and test_32x"):
        svhn.load_data(path)
    path.unlink()
    text = f"there is no test_32x32.mat in {tmp_path}: give all files of the set, train_32x32.mat"
    with pytest.raises(InvalidFileError, match=f"^{re.escape(text)}"):
        load_dataset(tmp_path)
