"""Compiled libraries: kept in the user's cache folder, and loaded from there if they are whole.

A library that is cut short can end the process that loads it, and one of another's making runs with
this user's rights. So each ends with a digest of its content and of what it was made of, and lies
in a folder that nobody else can write to.
"""

import ctypes
import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

from platformdirs import user_cache_path

from gpucnn.errors import InvalidFileError
from gpucnn.simulator.errors import SimulatorError
from gpucnn.utils.files import SUFFIX, replacing

Build = Callable[[Path], object]
"""Writes a library to the path that it is given."""


def cached_library(
    name: str, contents: Sequence[str], build: Build, mode: int = ctypes.DEFAULT_MODE
) -> ctypes.CDLL:
    """The library that `build` makes of `contents`, loaded; it is built if it has not been before.

    Where it cannot be kept in the user's cache folder, it is in one for temporary files, and a line
    of the log says so.

    Args:
        name: of the file; what is made of other contents has another prefix.
        contents: all that the library depends on.
        build: makes it.
        mode: in which it is loaded.

    Raises:
        SimulatorError: it calls a function that is not defined, or can be kept nowhere.
    """
    key = sha256("\0".join(contents).encode(errors="surrogateescape"))
    file = f"{key.hexdigest()[:32]}-{name}"
    try:
        return _loaded_from(_cache_folder() / file, key.digest(), build, mode)
    except (OSError, InvalidFileError) as error:
        unusable = _told(error)
    try:
        library = _loaded_from(_temporary_folder() / file, key.digest(), build, mode)
    except (OSError, InvalidFileError) as error:
        raise SimulatorError(
            f"compiled kernels can be kept neither in the cache ({unusable}) nor among temporary "
            f"files ({_told(error)}): set TMPDIR to a folder that can be written"
        ) from error
    _log_once(unusable)
    return library


@cache
def _log_once(unusable: str) -> None:
    logging.getLogger(__name__).warning(
        "the simulator's cache cannot be used (%s): compiled kernels are kept in %s",
        unusable,
        _temporary_folder(),
    )


def _cache_folder() -> Path:
    try:
        folder = user_cache_path("gpucnn") / "simulator"
    except RuntimeError:  # of platformdirs, where older versions leave the ~
        folder = Path("~")
    if not folder.is_absolute():
        raise OSError("there is no home folder: set HOME or XDG_CACHE_HOME")
    return folder


def _temporary_folder() -> Path:
    return Path(gettempdir()) / f"gpucnn-{os.geteuid()}" / "simulator"


def _loaded_from(path: Path, key: bytes, build: Build, mode: int) -> ctypes.CDLL:
    _make_private(path.parent)
    if _is_whole(path, key):
        with suppress(OSError):  # built where the libraries that it needs are others
            return _load(path, mode)
    with _writing(path.parent), replacing(path) as temporary:
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
    """Make a folder, in a folder of this user, that nobody else can use.

    Raises:
        OSError: it cannot be made, or one of the two is a link or another user's.
    """
    for each, closed in ((folder.parent, 0o022), (folder, 0o077)):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = each.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise OSError(f"{each} is a link")
        if status.st_uid != os.geteuid():
            raise OSError(f"{each} is another user's")
        if status.st_mode & closed:
            each.chmod(stat.S_IMODE(status.st_mode) & ~closed)


def _is_whole(path: Path, key: bytes) -> bool:
    """Whether this user has made a library of that key at `path`, and it is all there."""
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
    """Append a library's digest, which loaders of libraries do not look at."""
    digest = _digest(key, path.read_bytes())
    with path.open("ab") as file:
        file.write(digest)
    path.chmod(0o600)


def _digest(key: bytes, content: bytes) -> bytes:
    return sha256(key + content).digest()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the processes that write to it share.

    A process that has it to itself first removes the files that killed ones have left. The system
    releases the lock of a process that ends, however it ends.
    """
    import fcntl  # of POSIX, as is all that this needs to run

    with (folder / "lock").open("wb") as lock:
        with suppress(OSError):  # others write, or the file system has no locks
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for leftover in folder.glob(f".*{SUFFIX}"):
                leftover.unlink(missing_ok=True)
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def _told(error: OSError | InvalidFileError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
