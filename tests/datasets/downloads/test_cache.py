import gzip
import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.local_server import Server
from datasets.sample_files import NAMES, idx_header, small_set
from gpucnn.datasets.downloads import cache as module
from gpucnn.datasets.downloads.cache import LOCK, cache_folder, fetch, folder_address
from gpucnn.datasets.formats.idx import read_idx
from gpucnn.errors import InvalidFileError, InvalidValueError
from gpucnn.utils.storage import cache as caches

IMAGES = f"{NAMES[0]}.gz"
EXPECTED = small_set()[NAMES[0]]


def read(path: Path, origin: str) -> NDArray[Any]:
    return read_idx(path, origin, dimensions=(3,))


def files_in(folder: Path) -> list[str]:
    """The names of the files in a folder and its subfolders, except locks."""
    return [path.name for path in folder.rglob("*") if path.is_file() and path.name != LOCK]


CHILD = """
import sys
from gpucnn.datasets.downloads.cache import fetch
fetch(sys.argv[1], sys.argv[2], lambda path, origin: None)
"""


@contextmanager
def another_process_downloading(server: Server, cache: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process whose download from `server` has stalled."""
    server.behaviour = "stalled"
    environment = os.environ | {"XDG_CACHE_HOME": str(cache.parent)}
    command = [sys.executable, "-c", CHILD, server.address, IMAGES]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            assert server.stalled.wait(60)
            server.behaviour = "whole"
            yield process
        finally:
            process.kill()


def test_folder_address() -> None:
    assert folder_address("https://example.org/mnist") == "https://example.org/mnist/"
    assert folder_address("https://example.org/mnist/") == "https://example.org/mnist/"


@pytest.mark.parametrize("address", ["http://a b/", "http://a/\033[31m", "http://a/\n"])
def test_address_with_what_no_address_has(address: str) -> None:
    with pytest.raises(InvalidValueError, match="has a space or a control character") as caught:
        folder_address(address)
    assert str(caught.value).isprintable()


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
    assert files_in(cache) == [IMAGES]
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
    assert files_in(cache) == []


@pytest.mark.parametrize("behaviour", ["missing", "cut short"])
def test_a_failed_download_leaves_nothing(server: Server, cache: Path, behaviour: str) -> None:
    setattr(server, "behaviour", behaviour)  # noqa: B010
    with pytest.raises(InvalidFileError, match=f"^{server.address}{IMAGES} cannot be downloaded"):
        fetch(server.address, IMAGES, read)
    assert files_in(cache) == []


def test_what_a_killed_process_left_is_removed(server: Server, cache: Path) -> None:
    with another_process_downloading(server, cache) as process:
        assert len(files_in(cache)) == 1
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(files_in(cache)) == 1
        fetch(server.address, IMAGES, read)
        assert files_in(cache) == [IMAGES]


def test_what_a_killed_process_left_is_removed_by_any_download(server: Server, cache: Path) -> None:
    with another_process_downloading(server, cache) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        fetch(f"{server.folder.as_uri()}/", IMAGES, read)
        assert files_in(cache) == [IMAGES]


def test_what_another_process_writes_is_left_alone(server: Server, cache: Path) -> None:
    with another_process_downloading(server, cache):
        (arriving,) = files_in(cache)
        fetch(f"{server.folder.as_uri()}/", IMAGES, read)
        assert set(files_in(cache)) == {arriving, IMAGES}


def test_another_process_is_not_waited_for_without_end(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIME_LIMIT", 0.1)
    told = pytest.raises(InvalidFileError, match="another process has been downloading to")
    with another_process_downloading(server, cache), told:
        fetch(server.address, IMAGES, read)


def test_of_those_that_want_a_file_one_downloads_it(server: Server, cache: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        arrays = [pool.submit(fetch, server.address, IMAGES, read) for _ in range(4)]
    for array in arrays:
        np.testing.assert_array_equal(array.result(), EXPECTED)
    assert len(server.requests) == 1


def test_cache_that_cannot_be_written(server: Server, cache: Path) -> None:
    cache.parent.write_bytes(b"a file where the folder should be")
    folder = cache_folder(server.address)
    with pytest.raises(InvalidFileError) as caught:
        fetch(server.address, IMAGES, read)
    assert f"{folder}, where downloads are kept, cannot be written (Not a directory)" in str(
        caught.value
    )
    assert "give their folder" in str(caught.value)


class TestWithoutAHomeFolder:
    @pytest.fixture(autouse=True)
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """The expected folder, on a system that does not know the user."""

        def find_nobody(user: int) -> NoReturn:
            raise KeyError(user)

        for variable in ("HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setattr(pwd, "getpwuid", find_nobody)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        module._temporary_root.cache_clear()
        yield tmp_path / f"gpucnn-{os.getuid()}"
        module._temporary_root.cache_clear()

    def test_downloads_are_kept_in_a_temporary_one(
        self, server: Server, temporary: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for _ in range(2):
            np.testing.assert_array_equal(fetch(server.address, IMAGES, read), EXPECTED)
        assert files_in(temporary) == [IMAGES]
        assert temporary.stat().st_mode & 0o777 == 0o700
        assert capsys.readouterr().err.splitlines() == [
            f"there is no home folder: downloads are kept in {temporary}",
            f"downloading {server.address}{IMAGES}",
        ]

    def test_nor_does_platformdirs_say_so(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(caches, "user_cache_path", lambda name: Path("~/.cache", name))
        assert cache_folder("http://example.org/").parent == temporary

    def test_one_that_others_can_use_is_refused(self, temporary: Path) -> None:
        temporary.mkdir()
        temporary.chmod(0o755)
        with pytest.raises(InvalidFileError, match="is not a folder that its user alone can use"):
            cache_folder("http://example.org/")

    def test_a_link_is_refused(self, temporary: Path) -> None:
        (temporary.parent / "elsewhere").mkdir(mode=0o700)
        temporary.symlink_to(temporary.parent / "elsewhere")
        with pytest.raises(InvalidFileError, match="is not a folder that its user alone can use"):
            cache_folder("http://example.org/")

    def test_nor_a_place_for_temporary_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def find_nothing() -> NoReturn:
            raise FileNotFoundError(2, "No usable temporary directory found")

        monkeypatch.setattr(caches, "gettempdir", find_nothing)
        with pytest.raises(InvalidFileError, match="there is no home folder, nor a temporary one"):
            cache_folder("http://example.org/")
