"""Fashion-MNIST and KMNIST, whose modules are alike."""

from hashlib import sha256
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from datasets.local_server import Server
from datasets.sample_files import NAMES, small_set, write_set
from gpucnn.applications import default_config
from gpucnn.datasets import dataset, fashion_mnist, kmnist, load_dataset
from gpucnn.datasets.downloads import published
from gpucnn.datasets.downloads.published import Published
from gpucnn.datasets.parts import Part
from gpucnn.errors import InvalidFileError


def check(parts: tuple[Part, Part]) -> None:
    arrays = [array for part in parts for array in part]
    for array, expected in zip(arrays, small_set().values(), strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


@pytest.fixture
def published_here(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The small set is published under both names."""
    digests = {
        f"{name}.gz": "sha256:" + sha256((server.folder / f"{name}.gz").read_bytes()).hexdigest()
        for name in NAMES
    }
    small = Published(server.address, digests, tuple("abcdefghij"))
    for module in (published, dataset):
        monkeypatch.setattr(module, "PUBLISHED", {"fashion_mnist": small, "kmnist": small})
    return server


@pytest.mark.parametrize("module", [fashion_mnist, kmnist])
def test_of_a_folder_or_its_address(
    module: ModuleType, tmp_path: Path, published_here: Server
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write_set(folder, small_set())
    check(module.load_data(folder))
    assert published_here.requests == []
    for _ in range(2):
        check(module.load_data())
    assert published_here.requests == [f"/{name}.gz" for name in NAMES]


def test_by_its_name(
    published_here: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = load_dataset("fashion_mnist")
    check((found.train, found.test))
    assert found.class_names == tuple("abcdefghij")
    assert default_config(data="fashion_mnist", device="cpu").resolved().data == "fashion_mnist"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fashion_mnist").mkdir()
    with pytest.raises(InvalidFileError, match="fashion_mnist is empty: give a folder"):
        load_dataset("fashion_mnist")
    assert default_config(data="fashion_mnist", device="cpu").resolved().data == str(
        tmp_path / "fashion_mnist"
    )
