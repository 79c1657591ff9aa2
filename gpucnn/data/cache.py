"""Files of an address, downloaded once and kept in the user's cache folder."""

import re
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from numpy.typing import NDArray
from platformdirs import user_cache_path

from gpucnn.data.download import download
from gpucnn.data.idx import Read
from gpucnn.errors import InvalidFileError, InvalidValueError

SCHEMES = ("http://", "https://", "file://")


def folder_address(address: str) -> str:
    """`address` with the slash at its end that makes it one of a folder.

    Raises:
        InvalidValueError: it has a query or a fragment, which a folder cannot have.
    """
    if "?" in address or "#" in address:
        raise InvalidValueError(f"{address} has a ? or # in it: give the address of a folder")
    return address if address.endswith("/") else f"{address}/"


def cache_folder(address: str) -> Path:
    """Where the files of an address are kept: a folder of its own, whose name tells which."""
    _, _, place = address.partition("://")
    readable = re.sub(r"[^a-zA-Z0-9.]+", "-", place).strip("-")[:40]
    return user_cache_path("gpucnn") / f"{readable}-{sha256(address.encode()).hexdigest()[:16]}"


def fetch(address: str, name: str, read: Read) -> NDArray[Any]:
    """What `read` makes of a file of an address: of the copy kept here, or else of a new download.

    A copy that `read` finds damaged is removed and downloaded again. A download is kept when `read`
    has found it good.

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
        try:
            return read(kept, str(kept))
        except InvalidFileError:
            kept.unlink()
    with _temporary_folder(user_cache_path("gpucnn")) as folder:
        arrived = Path(folder) / name
        download(address, arrived)
        array = read(arrived, address + name)
        kept.parent.mkdir(exist_ok=True)
        arrived.replace(kept)
    return array


def _temporary_folder(cache: Path) -> TemporaryDirectory[str]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix=".download-", dir=cache)
    except OSError as error:
        raise InvalidFileError(
            f"{cache}, where downloads are kept, cannot be written ({error.strerror}): make it "
            "writable, or download the files yourself and give their folder"
        ) from error
