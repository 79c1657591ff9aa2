"""Where the package caches files: the user's cache folder, or a private one in its place.

A process without a home folder (a service, a container with an unknown user) has no cache folder;
neither has one whose disk is read-only. `temporary_folder` is for these.
"""

import os
import stat
from pathlib import Path
from tempfile import gettempdir

from platformdirs import user_cache_path


class ForeignFolderError(OSError):
    """A folder that is a symbolic link, or belongs to another user."""


def user_cache_folder() -> Path | None:
    """The package's folder in the user's cache folder, not created; None without a home folder."""
    try:
        folder = user_cache_path("gpucnn")
    except RuntimeError:  # no home folder
        return None
    # Some versions of platformdirs return a path that starts with ~ instead of raising.
    return folder if folder.is_absolute() else None


def temporary_folder() -> Path:
    """The package's folder for this user among the system's temporary files, not created.

    Raises:
        OSError: the system has no folder for temporary files.
    """
    return Path(gettempdir()) / f"gpucnn-{os.geteuid()}"


def make_own_folder(folder: Path) -> int:
    """Create a folder, and its parents, for this user alone; keep one that exists.

    Returns:
        The folder's permission bits, 0o700 if it is new.

    Raises:
        ForeignFolderError: it exists, and is a symbolic link or another user's.
        OSError: it cannot be created.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise ForeignFolderError(f"{folder} is a link")
    if status.st_uid != os.geteuid():
        raise ForeignFolderError(f"{folder} is another user's")
    return stat.S_IMODE(status.st_mode)
