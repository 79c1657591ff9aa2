import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from data.local_server import Server
from data.sample_files import NAMES, idx_header, small_set
from gpucnn.data.cache import cache_folder, fetch, folder_address
from gpucnn.data.idx import read_idx
from gpucnn.errors import InvalidFileError, InvalidValueError

IMAGES = f"{NAMES[0]}.gz"
EXPECTED = small_set()[NAMES[0]]


def read(path: Path, origin: str) -> NDArray[Any]:
    return read_idx(path, origin, dimensions=(3,))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_folder_address() -> None:
    assert folder_address("https://example.org/mnist") == "https://example.org/mnist/"
    assert folder_address("https://example.org/mnist/") == "https://example.org/mnist/"


@pytest.mark.parametrize("address", ["http://example.org/?a=b", "http://example.org/#a"])
def test_address_that_is_not_of_a_folder(address: str) -> None:
    with pytest.raises(InvalidValueError, match="give the address of a folder"):
        folder_address(address)


def test_every_address_has_a_folder_of_its_own(cache: Path) -> None:
    addresses = ["http://example.org/a/", "https://example.org/a/", "https://example.org/-a/"]
    folders = {cache_folder(address) for address in addresses}
    assert len(folders) == len(addresses)
    assert {folder.parent for folder in folders} == {cache}
    assert all(folder.name.startswith("example.org-a-") for folder in folders)


@pytest.mark.parametrize("address", ["file:///", "file:///" + "long/" * 100, "http://[::1]:80/é/"])
def test_folder_names_are_plain_and_short(cache: Path, address: str) -> None:
    name = cache_folder(address).name
    assert name.isascii()
    assert len(name) < 60
    assert not set(name) & set("/\\:[]*?")


def test_a_download_is_kept(server: Server, cache: Path) -> None:
    first = fetch(server.address, IMAGES, read)
    server.behaviour = "missing"
    second = fetch(server.address, IMAGES, read)
    assert server.requests == [f"/{IMAGES}"]
    np.testing.assert_array_equal(first, EXPECTED)
    np.testing.assert_array_equal(second, EXPECTED)
    kept = cache_folder(server.address) / IMAGES
    assert list(cache.rglob("*")) == [kept.parent, kept]
    assert kept.read_bytes() == (server.folder / IMAGES).read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!DOCTYPE html>", id="a page"),
        pytest.param(gzip.compress(idx_header(3, 4, 5)), id="no body"),
    ],
)
def test_a_damaged_copy_is_downloaded_again(server: Server, cache: Path, damage: bytes) -> None:
    kept = cache_folder(server.address) / IMAGES
    kept.parent.mkdir(parents=True)
    kept.write_bytes(damage)
    np.testing.assert_array_equal(fetch(server.address, IMAGES, read), EXPECTED)
    assert kept.read_bytes() == (server.folder / IMAGES).read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"<!DOCTYPE html>", "starts with the bytes 3c 21 44 4f", id="a page"),
        pytest.param(gzip.compress(idx_header(3, 4, 5)), "is cut short", id="no body"),
    ],
)
def test_bad_content_is_not_kept(server: Server, cache: Path, content: bytes, said: str) -> None:
    (server.folder / IMAGES).write_bytes(content)
    with pytest.raises(InvalidFileError, match=f"^{server.address}{IMAGES} {said}"):
        fetch(server.address, IMAGES, read)
    assert list(cache.rglob("*")) == []


@pytest.mark.parametrize("behaviour", ["missing", "cut short"])
def test_a_failed_download_leaves_nothing(server: Server, cache: Path, behaviour: str) -> None:
    setattr(server, "behaviour", behaviour)  # noqa: B010
    with pytest.raises(InvalidFileError, match=f"^{server.address}{IMAGES} cannot be downloaded"):
        fetch(server.address, IMAGES, read)
    assert list(cache.rglob("*")) == []


def test_cache_that_cannot_be_written(server: Server, cache: Path) -> None:
    cache.parent.write_bytes(b"a file where the folder should be")
    with pytest.raises(InvalidFileError) as caught:
        fetch(server.address, IMAGES, read)
    assert f"{cache}, where downloads are kept, cannot be written (Not a directory)" in str(
        caught.value
    )
    assert "give their folder" in str(caught.value)
