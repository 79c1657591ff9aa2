import os
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.photos.example_photos import write_classes
from gpucnn.datasets.photos import cache as module
from gpucnn.datasets.photos.cache import keep, kept, key_of
from gpucnn.datasets.photos.folders import Photo, find_photos

KEY = b"k" * 32
ARE_READ = np.array([True, False, True])


@pytest.fixture
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)


@pytest.fixture(autouse=True)
def folder(cache: Path) -> Path:
    return cache / "photos"


def photos(folder: Path) -> list[Photo]:
    return find_photos(write_classes(folder, ["cat", "dog"], 2)).train


def test_what_is_kept_comes_back(images: NDArray[np.uint8], folder: Path) -> None:
    assert kept(KEY, 3) is None
    keep(KEY, ARE_READ, images)
    found = kept(KEY, 3)
    assert found is not None
    assert found[0].tolist() == ARE_READ.tolist()
    assert (found[1] == images).all()
    assert kept(b"another", 3) is None
    (file,) = folder.iterdir()
    assert file.stat().st_size < images.nbytes + 400


def test_a_key_is_of_names_sizes_times_and_arguments(tmp_path: Path) -> None:
    of = photos(tmp_path)
    key = key_of(of, (28, 28), "rgb")
    assert key == key_of(of, (28, 28), "rgb")
    os.utime(of[1].path, ns=(0, 0))
    others = key_of(of, (28, 28), "rgb"), key_of(of[:-1], (28, 28), "rgb"), key_of(of, None, "rgb")
    assert len({key, *others}) == 4


def test_sets_of_the_same_names_sizes_and_times_have_other_keys(tmp_path: Path) -> None:
    sets = [photos(tmp_path / name) for name in ("a", "b")]
    for photo in (*sets[0], *sets[1]):
        os.utime(photo.path, ns=(0, 0))
    assert key_of(sets[0]) != key_of(sets[1])


def test_a_file_that_is_replaced_by_one_of_its_size_and_time_has_another_key(
    tmp_path: Path,
) -> None:
    of = photos(tmp_path)
    os.utime(of[0].path, ns=(0, 0))
    before = key_of(of)
    sleep(0.02)  # more than the system's clock of files needs to move on
    of[0].path.write_bytes(of[0].path.read_bytes()[::-1])
    os.utime(of[0].path, ns=(0, 0))
    assert key_of(of) != before


def test_what_is_damaged_is_not_used(images: NDArray[np.uint8], folder: Path) -> None:
    keep(KEY, ARE_READ, images)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :])
        found = kept(KEY, 3)
        assert found is None or (found[1] == images).all()  # a space of a header
    for content in (whole[:-1], whole[:100], b"", whole + b"1"):
        file.write_bytes(content)
        assert kept(KEY, 3) is None


def test_the_oldest_go_where_there_are_too_many(
    images: NDArray[np.uint8], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = b"a" * 32, b"b" * 32, b"c" * 32
    for key in keys[:2]:
        keep(key, ARE_READ, images)
    (size, _) = (each.stat().st_size for each in folder.iterdir())
    for file in folder.iterdir():
        os.utime(file, (1, 1))
    assert kept(keys[0], 3) is not None  # which is the last used now
    monkeypatch.setattr(module, "MOST", 3 * size - 1)
    keep(keys[2], ARE_READ, images)
    assert [kept(key, 3) is not None for key in keys] == [True, False, True]


def test_what_is_too_large_is_not_kept(
    images: NDArray[np.uint8], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2 * images.nbytes - 1)
    keep(KEY, ARE_READ, images)
    assert not folder.exists()


def test_without_a_folder_nothing_is_kept(
    images: NDArray[np.uint8], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file")
    keep(KEY, ARE_READ, images)
    monkeypatch.setattr(module, "user_cache_folder", lambda: None)
    keep(KEY, ARE_READ, images)
    assert kept(KEY, 3) is None
