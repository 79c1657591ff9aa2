"""The cache of what NVRTC compiled, in the user's cache folder.

It saves time and is never needed: without a folder that can be used, all is compiled.
"""

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gpucnn.backends.cuda.machine_code import nvrtc
from gpucnn.backends.cuda.machine_code.nvrtc import Compiled
from gpucnn.errors import InvalidFileError
from gpucnn.utils.storage.cache import user_cache_folder
from gpucnn.utils.storage.sealed import key_of, make_private, name_of, read_sealed, write_sealed


def compile_once(source: str, options: Sequence[str], architecture: str, name: str) -> Compiled:
    """As `nvrtc.compile_kernels`, of sources that include no files; what the cache has is read."""
    key = key_of([nvrtc.build(), *nvrtc.every_option(options, architecture), name, source])
    path = _path(key)
    kept = read_sealed(path, key) if path else None
    if kept is not None:
        return _unpacked(kept)
    compiled = nvrtc.compile_kernels(source, options, architecture, name)
    if path:
        with suppress(OSError, InvalidFileError):
            write_sealed(path, key, lambda temporary: temporary.write_bytes(_packed(compiled)))
    return compiled


def _path(key: bytes) -> Path | None:
    """Where what has that key is kept; None without a folder for it."""
    folder = user_cache_folder() if os.name == "posix" else None
    if folder is None:
        return None
    try:
        make_private(folder / "nvrtc")
    except OSError:
        return None
    return folder / "nvrtc" / name_of(key, "compiled")


def _packed(compiled: Compiled) -> bytes:
    return zlib.compress(compiled.log.encode() + b"\0" + compiled.machine_code)


def _unpacked(packed: bytes) -> Compiled:
    log, _, machine_code = zlib.decompress(packed).partition(b"\0")
    return Compiled(log.decode(), machine_code)
