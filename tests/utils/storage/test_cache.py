import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gpucnn.utils.storage import cache
from gpucnn.utils.storage.cache import (
    ForeignFolderError,
    make_own_folder,
    temporary_folder,
    user_cache_folder,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="users and permissions of POSIX")


def test_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache_folder() == tmp_path / "gpucnn"
    assert list(tmp_path.iterdir()) == []


def no_home(name: str) -> Path:
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("place", [no_home, lambda name: Path("~/.cache") / name])
def test_without_a_home_folder_there_is_none(monkeypatch: pytest.MonkeyPatch, place: Any) -> None:
    monkeypatch.setattr(cache, "user_cache_path", place)
    assert user_cache_folder() is None


def test_a_temporary_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert temporary_folder() == tmp_path / f"gpucnn-{os.geteuid()}"
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_is_the_users_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert make_own_folder(tmp_path / "parent" / "new") == 0o700
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "parent" / "new").stat().st_mode) == 0o700


def test_a_folder_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert make_own_folder(tmp_path) == 0o755


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(ForeignFolderError, match="link is a link"):
        make_own_folder(tmp_path / "link")


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(ForeignFolderError, match="is another user's"):
        make_own_folder(tmp_path)


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_own_folder(tmp_path / "file" / "folder")
