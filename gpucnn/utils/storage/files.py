"""Atomic file writes: a file is under its final name complete, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from gpucnn.errors import InvalidFileError

SUFFIX = ".gpucnn-tmp"  # of temporary names: no other program uses it


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; rename it to `path` at the end.

    The file is flushed to disk before it is renamed, and its folder afterwards. On any exception,
    Ctrl-C included, the temporary file is removed and `path` stays as it was.

    Raises:
        InvalidFileError: `path` is a directory, or its folder does not exist.
        OSError: the file cannot be written (no permission, full disk); the error names `path`.
    """
    with _naming(path), _temporary(path) as temporary:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(path)
        _flush_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; raises what `replacing` raises."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def create_bytes(path: Path, content: bytes) -> None:
    """As `write_bytes`, but fail if the file exists, even if another process creates it meanwhile.

    Raises:
        FileExistsError: `path` exists.
    """
    with _naming(path), _temporary(path) as temporary:
        temporary.write_bytes(content)
        _flush_to_disk(temporary)
        try:
            path.hardlink_to(temporary)  # fails if the name is taken, which renaming does not
        except FileExistsError:
            raise
        except OSError:  # a file system without links: create the name, then replace it
            path.touch(exist_ok=False)
            temporary.replace(path)
        _flush_folder(path.parent)


def check_writable(path: Path) -> None:
    """Check that a file can be written to `path`; raises what `replacing` raises."""
    with _naming(path), _temporary(path):
        pass  # it is removed again


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove the temporary files that killed processes left in `folder`.

    Args:
        folder: nobody may be writing to it.
        name: the file that was being written; all by default.
    """
    for leftover in folder.glob(f".{name}.*{SUFFIX}"):
        leftover.unlink(missing_ok=True)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A new file beside `path`; it is removed at the end unless it was renamed."""
    if path.is_dir():
        raise InvalidFileError(f"{path} is a directory: give the name of a file to write")
    if not path.parent.is_dir():
        raise InvalidFileError(f"there is no folder {path.parent} to write {path.name} in: make it")
    temporary = path.with_name(f".{path.name}.{uuid4().hex}{SUFFIX}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, where the system can.

    Where it cannot, the system flushes them later: the file has its name in any case.
    """
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have an OSError name `path`: it names the temporary file, or, for a failed write, none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
