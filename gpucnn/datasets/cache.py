"""Files of an address, downloaded once and kept in the user's cache folder."""

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from platformdirs import user_cache_path

from gpucnn.datasets.download import TIME_LIMIT, download
from gpucnn.datasets.idx import Read
from gpucnn.errors import InvalidFileError, InvalidValueError
from gpucnn.utils.files import SUFFIX, replacing

if TYPE_CHECKING:
    from filelock import BaseFileLock

SCHEMES = ("http://", "https://", "file://")
LOCK = ".lock"  # held by the process that writes to a folder of the cache


def folder_address(address: str) -> str:
    """`address` with the slash at its end that makes it one of a folder.

    Raises:
        InvalidValueError: it has a query or a fragment, which a folder cannot have, or a character
            that no address has.
    """
    if not address.isprintable() or " " in address:
        raise InvalidValueError(f"{address!r} has a space or a control character: give an address")
    if "?" in address or "#" in address:
        raise InvalidValueError(f"{address} has a ? or # in it: give the address of a folder")
    return address if address.endswith("/") else f"{address}/"


def cache_folder(address: str) -> Path:
    """Where the files of an address are kept: a folder of its own, whose name tells which."""
    _, _, place = address.partition("://")
    readable = re.sub(r"[^a-zA-Z0-9.]+", "-", place).strip("-")[:40]
    return _root() / f"{readable}-{sha256(address.encode()).hexdigest()[:16]}"


def fetch(address: str, name: str, read: Read) -> NDArray[Any]:
    """What `read` makes of a file of an address: of the copy kept here, or else of a new download.

    A copy that `read` finds damaged is downloaded again. A download is kept when `read` has found
    it good; until then it has a temporary name. One process downloads from an address at a time,
    and others wait for what it keeps. What a process left when it was killed is removed before the
    next download, from whatever address.

    Args:
        address: of a folder, with the slash at its end.
        name: of the file in it.
        read: reads and checks a file; raises InvalidFileError for one that is not to be kept.

    Raises:
        InvalidFileError: the download failed, what it gave is not good, or the cache cannot be
            written.
    """
    kept = cache_folder(address) / name
    if kept.exists():
        with suppress(InvalidFileError):
            return read(kept, str(kept))
    with _written_by_us_alone(kept.parent):
        _remove_leftovers(kept.parent)
        if kept.exists():  # another process has downloaded it meanwhile
            with suppress(InvalidFileError):
                return read(kept, str(kept))
        with replacing(kept) as temporary:
            download(address + name, temporary)
            return read(temporary, address + name)


@contextmanager
def _written_by_us_alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of the cache, which the system releases when a process is killed.

    With the lock held, whatever has a temporary name in the folder is a leftover.
    """
    from filelock import Timeout  # imported here: `import gpucnn` stays light

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
        lock.acquire(timeout=TIME_LIMIT)
    except Timeout as error:
        raise InvalidFileError(
            f"another process has been downloading to {folder} for {TIME_LIMIT:g} s: end it, or "
            "download the files yourself and give their folder"
        ) from error
    except (OSError, NotImplementedError) as error:
        raise InvalidFileError(
            f"{folder}, where downloads are kept, cannot be written "
            f"({getattr(error, 'strerror', None) or error}): make it "
            "writable, or download the files yourself and give their folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _remove_leftovers(locked: Path) -> None:
    """Remove what killed processes left in the folder that is locked by us, and in all others."""
    from filelock import Timeout

    for folder in locked.parent.iterdir():
        with suppress(OSError, Timeout):  # Timeout: somebody is downloading to it
            if folder == locked:
                _remove_temporary_files(folder)
            elif (folder / LOCK).exists():
                with _lock(folder).acquire(timeout=0):
                    _remove_temporary_files(folder)


def _remove_temporary_files(folder: Path) -> None:
    for leftover in folder.glob(f".*{SUFFIX}"):
        leftover.unlink(missing_ok=True)


def _lock(folder: Path) -> "BaseFileLock":
    from filelock import FileLock

    return FileLock(folder / LOCK)


def _root() -> Path:
    """The folder of the cache."""
    try:
        root = user_cache_path("gpucnn")
    except RuntimeError:
        return _temporary_root()
    # Of platformdirs' versions some give a path that starts with ~ where there is no home folder.
    return root if root.is_absolute() else _temporary_root()


@cache  # told once
def _temporary_root() -> Path:
    """A folder of this user alone among the system's temporary files, for want of a home folder."""
    try:
        folder = Path(gettempdir()) / f"gpucnn-{os.getuid()}"
        folder.mkdir(mode=stat.S_IRWXU, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise InvalidFileError(
            f"there is no home folder, nor a temporary one, to keep downloads in ({error}): "
            "set HOME or TMPDIR to a folder"
        ) from error
    private = status.st_uid == os.getuid() and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if not stat.S_ISDIR(status.st_mode) or not private:
        raise InvalidFileError(
            f"{folder} is not a folder that its user alone can use: remove it, or set HOME to a "
            "folder to keep downloads in"
        )
    print(f"there is no home folder: downloads are kept in {folder}", file=sys.stderr, flush=True)
    return folder
