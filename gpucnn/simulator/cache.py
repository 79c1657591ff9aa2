"""The cache of compiled libraries, in the user's cache folder.

Loading a truncated library can crash the process, and loading one that somebody else planted runs
their code with this user's rights. So each library ends with a digest of its content and of its
sources, and lies in a folder that nobody else can write to.
"""

import ctypes
import logging
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

from gpucnn.errors import InvalidFileError
from gpucnn.simulator.errors import SimulatorError
from gpucnn.utils.cache import make_own_folder, temporary_folder, user_cache_folder
from gpucnn.utils.files import remove_leftovers, replacing
from gpucnn.utils.locks import shared_lock

LOCK = "lock"

Build = Callable[[Path], object]
"""Writes a library to the given path."""


def cached_library(
    name: str, contents: Sequence[str], build: Build, mode: int = ctypes.DEFAULT_MODE
) -> ctypes.CDLL:
    """Load the library built from `contents`; build it first if the cache does not have it.

    If the user's cache folder cannot be used, the library is kept among temporary files, and a
    warning is logged.

    Args:
        name: the end of the file's name; the rest is a hash of `contents`.
        contents: everything that the library depends on: sources, flags, compiler.
        build: called to build it.
        mode: of `dlopen`.

    Raises:
        SimulatorError: it calls an undefined function, or no folder can be written to.
    """
    key = sha256("\0".join(contents).encode(errors="surrogateescape"))
    file = f"{key.hexdigest()[:32]}-{name}"
    try:
        return _load_or_build(_cache_folder() / file, key.digest(), build, mode)
    except (OSError, InvalidFileError) as error:
        unusable = _reason(error)
    try:
        library = _load_or_build(_temporary_folder() / file, key.digest(), build, mode)
    except (OSError, InvalidFileError) as error:
        raise SimulatorError(
            f"compiled kernels can be kept neither in the cache ({unusable}) nor among temporary "
            f"files ({_reason(error)}): set TMPDIR to a folder that can be written"
        ) from error
    _warn_once(unusable)
    return library


@cache
def _warn_once(unusable: str) -> None:
    logging.getLogger(__name__).warning(
        "the simulator's cache cannot be used (%s): compiled kernels are kept in %s",
        unusable,
        _temporary_folder(),
    )


def _cache_folder() -> Path:
    folder = user_cache_folder()
    if folder is None:
        raise OSError("there is no home folder: set HOME or XDG_CACHE_HOME")
    return folder / "simulator"


def _temporary_folder() -> Path:
    return temporary_folder() / "simulator"


def _load_or_build(path: Path, key: bytes, build: Build, mode: int) -> ctypes.CDLL:
    _make_private(path.parent)
    if _is_whole(path, key):
        with suppress(OSError):  # built on a system with other libraries
            return _load(path, mode)
    folder = path.parent
    locked = shared_lock(folder / LOCK, when_alone=lambda: remove_leftovers(folder))
    with locked, replacing(path) as temporary:
        build(temporary)
        _seal(temporary, key)
    return _load(path, mode)


def _load(path: Path, mode: int) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path), mode)
    except OSError as error:
        _, undefined, name = str(error).partition("undefined symbol: ")
        if not undefined:
            raise
        raise SimulatorError(
            f"the compiled kernels cannot be loaded, {undefined}{name}: define all functions that "
            "are called"
        ) from error


def _make_private(folder: Path) -> None:
    """Create a folder that nobody else can use, in one that nobody else can write to.

    Raises:
        OSError: it cannot be created, or either is a symbolic link or another user's.
    """
    for each, closed in ((folder.parent, 0o022), (folder, 0o077)):
        mode = make_own_folder(each)
        if mode & closed:
            each.chmod(mode & ~closed)


def _is_whole(path: Path, key: bytes) -> bool:
    """Whether `path` is a complete library of that key, and this user's."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return False
        content = path.read_bytes()
    except OSError:
        return False
    digest = sha256(key).digest_size
    return content[-digest:] == _digest(key, content[:-digest])


def _seal(path: Path, key: bytes) -> None:
    """Append a library's digest, which the dynamic loader ignores."""
    digest = _digest(key, path.read_bytes())
    with path.open("ab") as file:
        file.write(digest)
    path.chmod(0o600)


def _digest(key: bytes, content: bytes) -> bytes:
    return sha256(key + content).digest()


def _reason(error: OSError | InvalidFileError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
