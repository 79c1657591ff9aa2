import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gpucnn.errors import InvalidFileError
from gpucnn.utils.storage.files import (
    check_writable,
    create_bytes,
    remove_leftovers,
    replacing,
    write_bytes,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write_half(path: Path, error: type[BaseException]) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise error


def test_writes_a_new_file(path: Path) -> None:
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_replaces_a_file_at_the_end(path: Path) -> None:
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == path.parent
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_error_leaves_what_was_there(path: Path, error: type[BaseException]) -> None:
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_error_leaves_no_new_file(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_half(path, KeyboardInterrupt)
    assert list(path.parent.iterdir()) == []


def test_error_after_the_temporary_file_is_gone(path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(path) as temporary:
        temporary.unlink()
    assert list(path.parent.iterdir()) == []


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="is a directory: give the name of a file"):
        write_bytes(tmp_path, b"")
    assert list(tmp_path.iterdir()) == []


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match=r"there is no folder .*runs to write a\.json in"):
        write_bytes(tmp_path / "runs" / "a.json", b"")


def test_file_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_bytes(b"")
    with pytest.raises(InvalidFileError, match=r"there is no folder .*runs to write a\.json in"):
        write_bytes(tmp_path / "runs" / "a.json", b"")


def test_relative_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_bytes(Path("a.json"), b"{}")
    assert (tmp_path / "a.json").read_bytes() == b"{}"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_permissions_are_those_of_any_new_file(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_bytes(path, b"")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert mode_of(path) == 0o666 & ~umask


@pytest.mark.skipif(os.name != "posix", reason="file size limits of POSIX")
def test_file_too_large(path: Path) -> None:
    path.write_bytes(b"old")
    script = """
import resource, sys
from pathlib import Path
from gpucnn.utils.storage.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(Path(sys.argv[1]), bytes(2000))
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "File too large\n"
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_created_once(tmp_path: Path) -> None:
    create_bytes(tmp_path / "file", b"first")
    with pytest.raises(FileExistsError, match="file"):
        create_bytes(tmp_path / "file", b"second")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("file", b"first")]


@pytest.mark.skipif(os.name != "posix", reason="folders can be opened")
@pytest.mark.parametrize("write", [write_bytes, create_bytes])
def test_a_folder_is_flushed_after_the_file_is_in_it(
    path: Path, write: Callable[[Path, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[bool, bool]] = []

    def remember(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        flushed.append((is_folder, path.exists()))

    monkeypatch.setattr(os, "fsync", remember)
    write(path, b"new")
    assert flushed == [(False, False), (True, True)]


@pytest.mark.skipif(os.name != "posix", reason="folders can be opened")
def test_a_folder_that_cannot_be_flushed_is_no_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_check_leaves_all_as_it_was(path: Path) -> None:
    check_writable(path)
    assert list(path.parent.iterdir()) == []
    path.write_bytes(b"old")
    check_writable(path)
    assert [each.read_bytes() for each in path.parent.iterdir()] == [b"old"]


def test_a_check_refuses_what_writing_would(path: Path) -> None:
    with pytest.raises(InvalidFileError, match="is a directory: give the name of a file"):
        check_writable(path.parent)
    with pytest.raises(InvalidFileError, match=r"there is no folder .*runs to write a\.json in"):
        check_writable(path.parent / "runs" / "a.json")


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("file", ".file.a1.gpucnn-tmp", ".file.swp", ".other.a1.gpucnn-tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, "file")
    left = [".file.swp", ".other.a1.gpucnn-tmp", "file"]
    assert sorted(each.name for each in tmp_path.iterdir()) == left
    remove_leftovers(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".file.swp", "file"]


def test_a_file_is_created_once_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    test_a_file_is_created_once(tmp_path)
