"""The cache of downloads: files of an address, downloaded once into the user's cache folder."""

import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from gpucnn.datasets.downloads.download import TIME_LIMIT, download
from gpucnn.errors import InvalidFileError, InvalidValueError
from gpucnn.utils.locks import exclusive_lock
from gpucnn.utils.storage.cache import (
    ForeignFolderError,
    make_own_folder,
    temporary_folder,
    user_cache_folder,
)
from gpucnn.utils.storage.files import remove_leftovers, replacing

SCHEMES = ("http://", "https://", "file://")
T = TypeVar("T")
LOCK = ".lock"  # in each folder of the cache, held by the process that writes to it


def folder_address(address: str) -> str:
    """`address`, with a slash at its end.

    Raises:
        InvalidValueError: it has a query, a fragment, a space or a control character.
    """
    if not address.isprintable() or " " in address:
        raise InvalidValueError(f"{address!r} has a space or a control character: give an address")
    if "?" in address or "#" in address:
        raise InvalidValueError(f"{address} has a ? or # in it: give the address of a folder")
    return address if address.endswith("/") else f"{address}/"


def cache_folder(address: str) -> Path:
    """The cache's folder for an address; its name starts with the address's readable part."""
    _, _, place = address.partition("://")
    readable = re.sub(r"[^a-zA-Z0-9.]+", "-", place).strip("-")[:40]
    return _root() / f"{readable}-{sha256(address.encode()).hexdigest()[:16]}"


def fetch(address: str, name: str, read: Callable[[Path, str], T]) -> T:
    """Read a file of an address from the cache; download it first if need be.

    A cached file that `read` refuses is downloaded again. A download has a temporary name until
    `read` has accepted it. One process at a time downloads from an address; others wait for it.
    Temporary files of killed processes are removed before a download, whatever their address.

    Args:
        address: of a folder, with a slash at its end.
        name: of the file in it.
        read: reads and checks a file; raises InvalidFileError for a damaged one.

    Returns:
        What `read` returns.

    Raises:
        InvalidFileError: the download failed or is damaged, or the cache cannot be written.
    """
    kept = cache_folder(address) / name
    if kept.exists():
        with suppress(InvalidFileError):
            return read(kept, str(kept))
    with locked(kept.parent):
        _remove_all_leftovers(kept.parent)
        if kept.exists():  # another process has downloaded it meanwhile
            with suppress(InvalidFileError):
                return read(kept, str(kept))
        with replacing(kept) as temporary:
            download(address + name, temporary)
            return read(temporary, address + name)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of the cache, so that any temporary file in it is a leftover."""
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(exclusive_lock(folder / LOCK, timeout=TIME_LIMIT))
        except TimeoutError as error:
            raise InvalidFileError(
                f"another process has been downloading to {folder} for {TIME_LIMIT:g} s: end it, "
                "or download the files yourself and give their folder"
            ) from error
        except OSError as error:
            raise InvalidFileError(
                f"{folder}, where downloads are kept, cannot be written "
                f"({error.strerror or error}): make it writable, or download the files yourself "
                "and give their folder"
            ) from error
        yield


def _remove_all_leftovers(locked: Path) -> None:
    """Remove leftovers from the `locked` folder, and from all others that nobody downloads to."""
    for folder in locked.parent.iterdir():
        with suppress(OSError):  # TimeoutError included: somebody downloads to it
            if folder == locked:
                remove_leftovers(folder)
            elif (folder / LOCK).exists():
                with exclusive_lock(folder / LOCK, timeout=0):
                    remove_leftovers(folder)


def _root() -> Path:
    return user_cache_folder() or _temporary_root()


@cache  # the message is printed once
def _temporary_root() -> Path:
    """A private folder among the system's temporary files, in place of the user's cache folder."""
    try:
        folder = temporary_folder()
        is_private = not make_own_folder(folder) & (stat.S_IRWXG | stat.S_IRWXO)
    except ForeignFolderError:
        is_private = False
    except OSError as error:
        raise InvalidFileError(
            f"there is no home folder, nor a temporary one, to keep downloads in ({error}): "
            "set HOME or TMPDIR to a folder"
        ) from error
    if not is_private:
        raise InvalidFileError(
            f"{folder} is not a folder that its user alone can use: remove it, or set HOME to a "
            "folder to keep downloads in"
        )
    print(f"there is no home folder: downloads are kept in {folder}", file=sys.stderr, flush=True)
    return folder
