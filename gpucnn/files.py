"""Writing files so that nothing half-written ever stands under its final name."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpucnn.errors import InvalidFileError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to, and rename it to `path` at the end.

    The file is flushed to the disk before it is renamed. Whatever goes wrong on the way, an error
    or Ctrl-C, the temporary file is removed and what stood at `path` before still stands there.

    Raises:
        InvalidFileError: `path` is a directory, or its folder does not exist.
        OSError: the file cannot be written (no permission, a full disk); it names `path`.
    """
    if path.is_dir():
        raise InvalidFileError(f"{path} is a directory: give the name of a file to write")
    if not path.parent.is_dir():
        raise InvalidFileError(f"there is no folder {path.parent} to write {path.name} in: make it")
    with _naming(path):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            _flush_to_disk(temporary)
            temporary.chmod(0o666 & ~_umask())  # mkstemp's mode is 0600; give it a plain file's
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` through `replacing`, with its errors."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have an OSError name `path`, not the temporary file or, as a failed write does, none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
