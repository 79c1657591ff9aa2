"""Photographs that have been decoded, kept in the user's cache folder.

A file holds which photographs could be read, and their images, with a digest at its end. It is
named after what it depends on; all together take at most `MOST`, beyond which the oldest go.
"""

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gpucnn.datasets.photos.folders import Photo
from gpucnn.errors import InvalidFileError
from gpucnn.utils.storage.cache import make_own_folder, user_cache_folder
from gpucnn.utils.storage.damage import DAMAGE
from gpucnn.utils.storage.files import replacing

MOST = 4 * 2**30  # bytes
FORM = 1  # of the files, to be raised with each change of what they hold
DIGEST = sha256().digest_size  # bytes

Decoded = tuple[NDArray[np.bool_], NDArray[np.uint8]]
"""Which photographs could be read (n,), and the images of these."""


def key_of(photos: Sequence[Photo], *arguments: object) -> bytes:
    """What the images of photographs depend on: paths, sizes, times, arguments and the decoder.

    Names and sizes are not enough: of what an archive holds the times of two sets may be the same,
    and so are the sizes of pictures that are not compressed. When a file was changed last, of its
    two times, cannot be set.

    Raises:
        OSError: a file is not there any more.
    """
    import PIL  # imported here: an optional dependency

    digest = sha256(repr((FORM, PIL.__version__, *arguments)).encode())
    for photo in photos:
        status = photo.path.stat()
        times = status.st_mtime_ns, status.st_ctime_ns
        digest.update(repr((str(photo.path.absolute()), status.st_size, *times)).encode())
    return digest.digest()


def kept(key: bytes, count: int) -> Decoded | None:
    """What was kept under a key, of `count` photographs; None if it is not there or damaged."""
    path = _path(key)
    if path is None:
        return None
    with suppress(*DAMAGE), path.open("rb") as file:
        are_read = npy.read_array(file, allow_pickle=False)
        images = npy.read_array(file, allow_pickle=False)
        if file.read() == _digest(key, are_read, images) and are_read.shape == (count,):
            path.touch()  # it is in use, so that others go before it
            return are_read, images
    return None


def keep(key: bytes, are_read: NDArray[np.bool_], images: NDArray[np.uint8]) -> None:
    """Keep what has been decoded, as far as there is room for it, and a folder."""
    path = _path(key)
    if path is None or images.nbytes > MOST // 2:
        return
    with suppress(OSError, InvalidFileError):  # it is decoded again next time
        make_own_folder(path.parent)
        with replacing(path) as temporary, temporary.open("wb") as file:
            npy.write_array(file, are_read, allow_pickle=False)
            npy.write_array(file, images, allow_pickle=False)
            file.write(_digest(key, are_read, images))
        _make_room(path.parent)


def _path(key: bytes) -> Path | None:
    folder = user_cache_folder()
    return None if folder is None else folder / "photos" / f"{key.hex()[:32]}.decoded"


def _digest(key: bytes, are_read: NDArray[np.bool_], images: NDArray[np.uint8]) -> bytes:
    digest = sha256(key)
    for each in (are_read, images):
        digest.update(repr((each.shape, each.dtype.str)).encode())
        digest.update(np.ascontiguousarray(each).data)
    return digest.digest()


def _make_room(folder: Path) -> None:
    """Remove the files not used for longest, what killed processes left included, beyond `MOST`."""
    files = [(each.stat(), each) for each in folder.iterdir() if each.is_file()]
    total = 0
    for status, each in sorted(files, key=lambda file: -file[0].st_mtime_ns):
        total += status.st_size
        if total > MOST:
            each.unlink(missing_ok=True)
