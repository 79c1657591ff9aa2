import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gpucnn.utils.storage.files import SUFFIX
from gpucnn.utils.storage.sealed import (
    digest_of,
    key_of,
    make_private,
    name_of,
    read_sealed,
    write_sealed,
)

KEY = key_of(["source", "options"])

pytestmark = pytest.mark.skipif(os.name != "posix", reason="users and permissions of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that was written."""
    path = tmp_path / "folder" / name_of(KEY, "file")
    make_private(path.parent)
    write_sealed(path, KEY, lambda temporary: temporary.write_bytes(b"content"))
    return path


def test_what_was_written_is_read(path: Path) -> None:
    assert read_sealed(path, KEY) == b"content"
    assert path.read_bytes() == b"content" + digest_of(KEY, b"content")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_without_content_is_whole(path: Path) -> None:
    write_sealed(path, KEY, lambda temporary: None)
    assert read_sealed(path, KEY) == b""


def test_keys_differ_where_contents_do() -> None:
    contents: tuple[list[str], ...] = (["a"], ["b"], ["a", "b"], ["b", "a"], ["ab"], [])
    assert len({key_of(each) for each in contents}) == len(contents)
    assert key_of(["\udcff"]) != key_of([""])  # a byte of a path that is no UTF-8


def test_a_name_tells_the_key_and_its_ending() -> None:
    assert name_of(KEY, "a.so") == f"{KEY.hex()[:32]}-a.so"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda sealed: b"", id="empty"),
        pytest.param(lambda sealed: sealed[:5], id="shorter than a digest"),
        pytest.param(lambda sealed: sealed[:-1], id="cut by a byte"),
        pytest.param(lambda sealed: sealed[1:], id="without its first byte"),
        pytest.param(lambda sealed: bytes(len(sealed)), id="zeros"),
        pytest.param(lambda sealed: sealed + b"\0", id="longer"),
        pytest.param(lambda sealed: b"C" + sealed[1:], id="changed"),
    ],
)
def test_what_is_not_whole_is_not_read(path: Path, damage: Callable[[bytes], bytes]) -> None:
    path.write_bytes(damage(path.read_bytes()))
    assert read_sealed(path, KEY) is None


def test_what_is_of_another_key_is_not_read(path: Path) -> None:
    assert read_sealed(path, key_of(["source", "others"])) is None


def test_what_is_no_file_is_not_read(path: Path, tmp_path: Path) -> None:
    assert read_sealed(path.parent, KEY) is None
    assert read_sealed(tmp_path / "none", KEY) is None
    (tmp_path / "link").symlink_to(path)
    assert read_sealed(tmp_path / "link", KEY) is None


def test_what_is_another_users_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    assert read_sealed(path, KEY) is None


def test_a_write_that_fails_leaves_what_was_there(path: Path) -> None:
    def write(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left"):
        write_sealed(path, KEY, write)
    assert read_sealed(path, KEY) == b"content"
    assert list(path.parent.glob(f".*{SUFFIX}")) == []
