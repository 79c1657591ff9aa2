"""The zip archives that `.keras` files are, shared by tests: read, and written with other parts."""

import os
from collections.abc import Mapping
from zipfile import ZIP_STORED, ZipFile


def parts_of(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """The contents of an archive, by name."""
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_parts(
    path: str | os.PathLike[str], parts: Mapping[str, bytes], compression: int = ZIP_STORED
) -> None:
    """Write an archive of such contents, as Keras does without compression."""
    with ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
