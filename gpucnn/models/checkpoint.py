"""Model files: named arrays and a description, in the safetensors format.

The description is JSON under one key of the file's metadata. One key, because the format keeps its
keys in no particular order, and equal models are to give equal bytes.
"""

import json
import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gpucnn.errors import InvalidFileError, printable
from gpucnn.utils.files import write_bytes

KEY = "gpucnn"
VERSION = 1


def write_checkpoint(
    path: str | os.PathLike[str], arrays: dict[str, NDArray[Any]], description: dict[str, Any]
) -> None:
    """Write a model file, under a temporary name first.

    Raises:
        InvalidFileError: `path` is a directory, or its folder does not exist.
        OSError: the file cannot be written.
    """
    text = json.dumps({"version": VERSION} | description, sort_keys=True)
    write_bytes(Path(path), save(arrays, metadata={KEY: text}))


def read_checkpoint(
    path: str | os.PathLike[str],
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the description of a model file.

    Raises:
        InvalidFileError: there is no such file, it is cut short, or it is not a model of gpucnn.
    """
    file = Path(path)
    if file.is_dir():
        inside = min(file.glob("*.safetensors"), default="a .safetensors file")
        raise InvalidFileError(f"{path} is a directory: give a file, such as {inside}")
    if not file.is_file():
        raise InvalidFileError(f"there is no file {path}: give a .safetensors file of gpucnn")
    try:
        with safe_open(file, framework="numpy") as opened:
            description = _description(path, opened.metadata() or {})
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError) as error:  # the latter of numbers that NumPy lacks
        raise InvalidFileError(
            f"{path} is cut short or not a safetensors file ({printable(error)}): "
            "give another copy, or train again"
        ) from error
    return arrays, description


def _description(path: str | os.PathLike[str], metadata: dict[str, str]) -> dict[str, Any]:
    try:
        description = json.loads(metadata[KEY])
        version = description["version"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidFileError(
            f"{path} is a safetensors file, but not a model of gpucnn: give one saved by gpucnn"
        ) from error
    if type(version) is not int or version != VERSION:  # true is 1 in Python
        raise InvalidFileError(
            f"{path} is a model file of version {printable(json.dumps(version))}, but this gpucnn "
            "reads "
            f"version {VERSION}: install the gpucnn that wrote it"
        )
    return description  # type: ignore[no-any-return]
