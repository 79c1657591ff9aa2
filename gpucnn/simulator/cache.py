"""The cache of compiled libraries, in the user's cache folder.

Loading a truncated library can crash the process, and loading one that somebody else planted runs
their code with this user's rights. So libraries are kept as `gpucnn.utils.storage.sealed` keeps
files.
"""

import ctypes
import logging
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from gpucnn.errors import InvalidFileError
from gpucnn.simulator.errors import SimulatorError
from gpucnn.utils.storage.cache import temporary_folder, user_cache_folder
from gpucnn.utils.storage.sealed import (
    Write,
    key_of,
    make_private,
    name_of,
    read_sealed,
    write_sealed,
)


def cached_library(
    name: str, contents: Sequence[str], build: Write, mode: int = ctypes.DEFAULT_MODE
) -> ctypes.CDLL:
    """Load the library built from `contents`; build it first if the cache does not have it.

    If the user's cache folder cannot be used, the library is kept among temporary files, and a
    warning is logged.

    Args:
        name: the end of the file's name; the rest is a hash of `contents`.
        contents: everything that the library depends on: sources, flags, compiler.
        build: writes it to a path.
        mode: of `dlopen`.

    Raises:
        SimulatorError: it calls an undefined function, or no folder can be written to.
    """
    key = key_of(contents)
    file = name_of(key, name)
    try:
        return _load_or_build(_cache_folder() / file, key, build, mode)
    except (OSError, InvalidFileError) as error:
        unusable = _reason(error)
    try:
        library = _load_or_build(_temporary_folder() / file, key, build, mode)
    except (OSError, InvalidFileError) as error:
        raise SimulatorError(
            f"compiled kernels can be kept neither in the cache ({unusable}) nor among temporary "
            f"files ({_reason(error)}): set TMPDIR to a folder that can be written"
        ) from error
    _warn_once(unusable)
    return library


def cached_text(contents: Sequence[str], make: Callable[[], str]) -> str:
    """The text made from `contents`, which is made if the cache does not have it.

    It saves time and is never needed: without a folder that can be used, it is made each time.

    Args:
        contents: everything that the text depends on.
        make: makes it.
    """
    key = key_of(contents)
    try:
        folder = _cache_folder().with_name("simulator-texts")
        make_private(folder)
    except OSError:
        return make()
    path = folder / name_of(key, "text")
    kept = read_sealed(path, key)
    if kept is not None:
        return zlib.decompress(kept).decode(errors="surrogateescape")
    text = make()
    packed = zlib.compress(text.encode(errors="surrogateescape"), 1)
    with suppress(OSError, InvalidFileError):
        write_sealed(path, key, lambda temporary: temporary.write_bytes(packed))
    return text


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


def _load_or_build(path: Path, key: bytes, build: Write, mode: int) -> ctypes.CDLL:
    make_private(path.parent)
    if read_sealed(path, key) is not None:
        with suppress(OSError):  # built on a system with other libraries
            return _load(path, mode)
    write_sealed(path, key, build)  # with its seal at its end, which the dynamic loader ignores
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


def _reason(error: OSError | InvalidFileError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
