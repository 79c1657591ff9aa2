"""The files of a dataset, in a folder or in the archive in which they are passed around."""

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import GzipFile
from pathlib import Path, PurePosixPath
from typing import IO

from gpucnn.errors import InvalidFileError, printable
from gpucnn.utils.storage.bounds import DEFLATE_RATIO, LARGEST_ARRAY
from gpucnn.utils.storage.damage import DAMAGE

SUFFIXES = (".tar.gz", ".tgz", ".tar")
MOST_MEMBERS = 1000  # of an archive: CIFAR's have 9 at most
CHUNK = 2**20  # bytes read at a time, at most
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Entry:
    """A file of a dataset.

    Attributes:
        name: without that of its folder.
        origin: its name in error messages.
        size: in bytes.
        file: at its start, to be read before the next entry is asked for.
    """

    name: str
    origin: str
    size: int
    file: IO[bytes]


def is_archive(name: str) -> bool:
    """Whether a file of this name is an archive that `archived` reads."""
    return name.lower().endswith(SUFFIXES)


def archived(path: Path, origin: str, wanted: Callable[[str], bool]) -> Iterator[Entry]:
    """The files in a .tar.gz or .tar, one after the other as it has them; none is unpacked to disk.

    Args:
        path: of the archive.
        origin: its name in error messages.
        wanted: says of a name, without that of the folder, whether its file is to be read.

    Raises:
        DAMAGE, TarError: it is damaged; also when one of the files is read. See `blaming`.
    """
    limit = min(LARGEST_ARRAY, path.stat().st_size * DEFLATE_RATIO)
    with path.open("rb") as file, _opened(file) as archive:
        for member in _members(archive):
            name = PurePosixPath(member.name).name
            if not (member.type in tarfile.REGULAR_TYPES and wanted(name)):
                continue
            if member.sparse is not None or member.size > limit:
                raise ValueError(f"{name} says that it holds {member.size} bytes")
            content = archive.extractfile(member)
            assert content is not None  # which it is for links alone
            yield Entry(name, f"{origin}: {printable(name)}", member.size, content)


@contextmanager
def blaming(origin: str) -> Iterator[None]:
    """Where an archive is read: have an error say that it is damaged.

    Raises:
        InvalidFileError: it is damaged, or one was raised.
    """
    try:
        yield
    except InvalidFileError:
        raise
    except (*DAMAGE, tarfile.TarError) as error:
        raise InvalidFileError(
            f"{origin} is not an archive that can be read ({printable(error)}): give another copy"
        ) from error


def _opened(file: IO[bytes]) -> tarfile.TarFile:
    is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    content = _InChunks(fileobj=file) if is_gzip else file
    return tarfile.open(fileobj=content, mode="r:", errorlevel=2)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for _ in range(MOST_MEMBERS):
        member = archive.next()
        if member is None:
            return
        yield member
    raise ValueError(f"it holds more than {MOST_MEMBERS} files")


class _InChunks(GzipFile):
    """What is in a gzip file, of which an archive's header cannot have everything read at once."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= CHUNK:
            raise ValueError(f"its header has {size} bytes")
        return super().read(size)
