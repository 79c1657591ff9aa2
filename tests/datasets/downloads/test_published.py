import logging
import sys
from collections.abc import Mapping
from hashlib import md5, sha256
from pathlib import Path

import pooch
import pytest

from datasets.local_server import Server
from datasets.sample_files import NAMES
from gpucnn.datasets.downloads import published as module
from gpucnn.datasets.downloads.cache import cache_folder
from gpucnn.datasets.downloads.published import PUBLISHED, Published, retrieve
from gpucnn.errors import InvalidFileError, MissingExtraError

FILES = (f"{NAMES[1]}.gz", f"{NAMES[3]}.gz")


@pytest.fixture
def address(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a dataset under the name "small", of two files."""
    contents = [(server.folder / name).read_bytes() for name in FILES]
    digests = [f"sha256:{sha256(contents[0]).hexdigest()}", f"md5:{md5(contents[1]).hexdigest()}"]
    publish(monkeypatch, server.address, dict(zip(FILES, digests, strict=True)))
    return server.address


def publish(monkeypatch: pytest.MonkeyPatch, address: str, digests: Mapping[str, str]) -> None:
    monkeypatch.setattr(module, "PUBLISHED", {"small": Published(address, digests)})


def test_files_are_downloaded_once(
    address: str, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = retrieve("small")
    assert folder == cache_folder(address)
    for name in FILES:
        assert (folder / name).read_bytes() == (server.folder / name).read_bytes()
    assert server.requests == [f"/{name}" for name in FILES]
    shown = capfd.readouterr()
    assert shown.err.splitlines() == [f"downloading {address}{name}" for name in FILES]
    assert retrieve("small") == folder
    assert len(server.requests) == 2
    assert capfd.readouterr() == ("", "")


def test_damaged_files_are_downloaded_again(address: str, server: Server) -> None:
    folder = retrieve("small")
    good = (folder / FILES[0]).read_bytes()
    (folder / FILES[0]).write_bytes(b"damaged")
    (folder / "tmpleftover").touch()
    retrieve("small")
    assert (folder / FILES[0]).read_bytes() == good
    assert not (folder / "tmpleftover").exists()
    assert server.requests[2:] == [f"/{FILES[0]}"]


def test_files_that_are_others_than_were_published(
    address: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, address, {FILES[0]: "sha256:" + 64 * "0"})
    with pytest.raises(InvalidFileError, match=r"is not the file that was published \(SHA256 hash"):
        retrieve("small")
    assert not any(
        each.name.startswith((FILES[0], "tmp")) for each in cache_folder(address).iterdir()
    )


def test_downloads_that_fail(address: str, server: Server) -> None:
    server.behaviour = "cut short"
    with pytest.raises(InvalidFileError, match=rf"^{address}{FILES[0]} cannot be downloaded"):
        retrieve("small")
    server.behaviour = "whole"
    assert (retrieve("small") / FILES[0]).exists()


def test_the_logger_of_pooch_stays_as_it_was(address: str) -> None:
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        retrieve("small")
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(level)


def test_without_pooch(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError) as caught:
        retrieve("small")
    assert str(caught.value) == (
        "downloading small, unless its folder or address is given, needs pooch, which is not "
        "installed: pip install 'gpucnn[download]'"
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_file_has_a_digest(name: str) -> None:
    published = PUBLISHED[name]
    assert published.address.endswith("/")
    for digest in published.digests.values():
        kind, _, digits = digest.partition(":")
        assert len(bytes.fromhex(digits)) == {"sha256": 32, "md5": 16}[kind]
