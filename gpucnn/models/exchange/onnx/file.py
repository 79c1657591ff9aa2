"""ONNX files: opened and checked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpucnn.errors import (
    GpucnnError,
    InvalidFileError,
    InvalidValueError,
    MissingExtraError,
    printable,
)
from gpucnn.utils.storage.damage import DAMAGE

MOST_BYTES = 2**31
"""Of a file, beside which weights may lie in others."""


@contextmanager
def blaming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn errors of a model that is read from a file into one that names the file."""
    try:
        yield
    except InvalidFileError:
        raise
    except InvalidValueError as error:
        raise InvalidFileError(f"{path} cannot be imported: {error}") from error
    except GpucnnError:
        raise
    except DAMAGE as error:
        raise damaged(path, error) from error


def damaged(path: str | os.PathLike[str], error: Exception) -> InvalidFileError:
    """The error of a file that is not as ONNX describes it."""
    return InvalidFileError(
        f"{path} is cut short, damaged or not an ONNX file ({first_line(error)}): give another copy"
    )


def first_line(error: Exception) -> str:
    """What an error of ONNX says, before it goes on to say where."""
    return printable(str(error).partition("\n")[0])


def check_onnx() -> None:
    """Check that onnx is installed.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import onnx  # noqa: F401 - imported here: an optional dependency
    except ImportError as error:
        raise MissingExtraError("a file of ONNX", "the package onnx", "onnx") from error


def read_model(path: str | os.PathLike[str]) -> Any:
    """The model of a file, checked by ONNX's checker; weights in files beside it are read too.

    Raises:
        InvalidFileError: there is no such file, it is none of ONNX, is damaged or too large, or a
            file beside it is missing.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import checker, external_data_helper

    file = Path(path)
    if not file.is_file():
        what = "is a directory" if file.is_dir() else "is not there"
        raise InvalidFileError(f"{path} {what}: give an ONNX file")
    if file.stat().st_size > MOST_BYTES:
        raise InvalidFileError(f"{path} is larger than 2 GiB, which no ONNX file is")
    try:
        model = onnx.load(file, load_external_data=False)
    except (DecodeError, *DAMAGE) as error:
        raise damaged(path, error) from error
    try:
        external_data_helper.load_external_data_for_model(model, str(file.parent))
    except (checker.ValidationError, *DAMAGE) as error:
        raise InvalidFileError(
            f"{path} has weights in a file beside it, which cannot be read ({first_line(error)}): "
            "put that there too"
        ) from error
    try:
        for each in model.graph.output:
            each.type.tensor_type.shape.SetInParent()  # which the checker wants, and no runtime
        checker.check_model(model)
    except (checker.ValidationError, *DAMAGE) as error:
        raise damaged(path, error) from error
    return model
