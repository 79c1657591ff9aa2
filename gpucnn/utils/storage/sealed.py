"""Files of a cache that are whole or not used: each ends with a digest of its key and content.

They lie in a folder that nobody else can write to. The systems with its permissions are POSIX ones.
"""

import os
import stat
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from gpucnn.utils.locks import shared_lock
from gpucnn.utils.storage.cache import make_own_folder
from gpucnn.utils.storage.files import remove_leftovers, replacing

LOCK = "lock"  # in the folder, held by those who write to it
DIGEST = sha256().digest_size  # bytes at the end of a file

Write = Callable[[Path], object]
"""Writes a file's content to the given path."""


def key_of(contents: Sequence[str]) -> bytes:
    """The key of a file that depends on `contents`, all of them, in their order."""
    return sha256("\0".join(contents).encode(errors="surrogateescape")).digest()


def name_of(key: bytes, ending: str) -> str:
    """The name of a file of that key."""
    return f"{key.hex()[:32]}-{ending}"


def make_private(folder: Path) -> None:
    """Create a folder that nobody else can use, in one that nobody else can write to.

    Raises:
        OSError: it cannot be created, or either is a symbolic link or another user's.
    """
    for each, closed in ((folder.parent, 0o022), (folder, 0o077)):
        mode = make_own_folder(each)
        if mode & closed:
            each.chmod(mode & ~closed)


def read_sealed(path: Path, key: bytes) -> bytes | None:
    """The content of a file, or None if it is not complete, of another key or another user's."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return None
        sealed = path.read_bytes()
    except OSError:
        return None
    content, digest = sealed[:-DIGEST], sealed[-DIGEST:]
    return content if digest == digest_of(key, content) else None


def write_sealed(path: Path, key: bytes, write: Write) -> None:
    """Write a file, under a temporary name until it is complete; others may do so at once.

    What killed processes left in its folder is removed first, unless others write to it now.

    Raises:
        InvalidFileError: `path` is a folder.
        OSError: it cannot be written; and what `write` raises.
    """
    folder = path.parent
    locked = shared_lock(folder / LOCK, when_alone=lambda: remove_leftovers(folder))
    with locked, replacing(path) as temporary:
        write(temporary)
        digest = digest_of(key, temporary.read_bytes())
        with temporary.open("ab") as file:
            file.write(digest)
        temporary.chmod(0o600)


def digest_of(key: bytes, content: bytes) -> bytes:
    """The end of a file of that key and content."""
    return sha256(key + content).digest()
