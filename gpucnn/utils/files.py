"""Writing files so that nothing half-written ever stands under its final name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from gpucnn.errors import InvalidFileError

SUFFIX = ".gpucnn-tmp"  # of temporary names, so that none is taken for anybody else's


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to, and rename it to `path` at the end.

    The file is flushed to the disk before it is renamed, its folder after that. Whatever goes wrong
    on the way, an error or Ctrl-C, the temporary file is removed and what stood at `path` before
    still stands there.

    Raises:
        InvalidFileError: `path` is a directory, or its folder does not exist.
        OSError: the file cannot be written (no permission, a full disk); it names `path`.
    """
    with _naming(path), _temporary(path) as temporary:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(path)
        _flush_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` through `replacing`, with its errors."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def create_bytes(path: Path, content: bytes) -> None:
    """As `write_bytes`, but never over a file that is there, whoever else may be writing it.

    Raises:
        FileExistsError: there is such a file.
    """
    with _naming(path), _temporary(path) as temporary:
        temporary.write_bytes(content)
        _flush_to_disk(temporary)
        try:
            path.hardlink_to(temporary)  # which fails if the name is taken, as renaming does not
        except FileExistsError:
            raise
        except OSError:  # a file system without links: take the name, then fill it
            path.touch(exist_ok=False)
            temporary.replace(path)
        _flush_folder(path.parent)


def check_writable(path: Path) -> None:
    """See that a file can be written to `path`, as `replacing` would, with its errors."""
    with _naming(path), _temporary(path):
        pass  # it is removed again


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that processes left beside `path` when they were killed."""
    for leftover in path.parent.glob(f".{path.name}.*{SUFFIX}"):
        leftover.unlink(missing_ok=True)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A new file beside `path`, which is removed at the end if it still has its name."""
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
    """Have the disk keep the names in a folder, in systems that can be asked to.

    The file stands under its name in any case: what is not flushed here, the system flushes later.
    """
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have an OSError name `path`, not the temporary file or, as a failed write does, none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
