"""Files of Keras 3: whole models, `.keras`, and weights alone, `.weights.h5`."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from numpy.typing import NDArray

from gpucnn.errors import GpucnnError, InvalidFileError, InvalidValueError, printable
from gpucnn.models.checkpoint import OTHER_FORMATS
from gpucnn.models.exchange.keras.architecture import Config, Node
from gpucnn.models.exchange.keras.hdf5 import Variables, opened
from gpucnn.models.exchange.metadata import NOTHING, Metadata
from gpucnn.utils.storage.damage import DAMAGE

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF"
"""How files begin."""

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
"""What is in a `.keras` file, a zip archive."""

OLD_MODEL = "model_weights"
"""The group of all variables in a file of a model, `.h5`, that Keras 2 writes."""

MOST_COMPRESSED = 2**26
"""Bytes of what is compressed in an archive; Keras compresses nothing."""


VariablesOf = Callable[[Node], Sequence[NDArray[Any]]]
"""Gives the values of the variables of a layer, in order."""


@dataclass(frozen=True)
class KerasFile:
    """What a file holds, which must stay open.

    Args:
        model: the configuration of a model; None for weights alone.
        compiled: that of what it was trained for; None if it is not known.
        variables_of: the values of the variables of a layer, in order.
        metadata: what is told beside.
    """

    model: Config | None
    compiled: Config | None
    variables_of: VariablesOf
    metadata: Metadata = NOTHING


def is_of_keras(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as one of Keras does, and has not the name of another format.

    NumPy and PyTorch write zip archives, too.
    """
    if Path(path).suffix in OTHER_FORMATS or not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(4) in (ZIP, HDF5)


@contextmanager
def opened_file(path: str | os.PathLike[str]) -> Iterator[KerasFile]:
    """What a file of Keras holds; nothing in it is executed.

    Raises:
        InvalidFileError: it is damaged, or not a file of Keras; or the context is left by an error
            that says what in it cannot be used.
        MissingExtraError: the package h5py is not installed.
    """
    with _blaming(path), Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        is_archive = file.read(4) == ZIP
        file.seek(0)
        if is_archive:
            with ZipFile(file) as archive:
                model = json.loads(_content(archive, CONFIG))
                weights = _content(archive, WEIGHTS)
                told = _metadata(archive)
            with opened(BytesIO(weights), len(weights)) as variables:
                yield KerasFile(model, model.get("compile_config"), _by_group(variables), told)
        else:
            with opened(file, size) as variables:
                yield _of_weights(variables)


def _of_weights(variables: Variables) -> KerasFile:
    """A file of weights alone.

    Raises:
        InvalidValueError: it is a model, in the format of Keras 2; or it does not tell the order of
            its layers.
    """
    if OLD_MODEL in variables:
        raise InvalidValueError(
            "it is a model in the format of Keras 2: load it in Keras, and save it as .keras"
        )
    if variables.has_inner_models():
        raise InvalidValueError(
            "it is of a model with models within it, whose order weights alone do not tell: save "
            "the whole model, as .keras, and give that"
        )
    return KerasFile(None, None, _by_group(variables))


def _by_group(variables: Variables) -> VariablesOf:
    return lambda node: variables.of_group(node.group)


def _metadata(archive: ZipFile) -> Metadata:
    """What a file of gpucnn's may tell in its metadata."""
    if METADATA not in archive.namelist():
        return NOTHING
    return Metadata.of(json.loads(_content(archive, METADATA)))


def _content(archive: ZipFile, name: str) -> bytes:
    """What is in an archive under a name.

    Raises:
        InvalidValueError: nothing is, or more than may be.
    """
    if name not in archive.namelist():
        raise InvalidValueError(f"it has no {name}")
    info = archive.getinfo(name)
    if info.compress_type != ZIP_STORED and info.file_size > MOST_COMPRESSED:
        raise InvalidValueError(
            f"its {name} is compressed, and has {info.file_size:,} bytes: pack it as Keras does, "
            "without compression"
        )
    return archive.read(info)


@contextmanager
def _blaming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn errors of what is read from a file into one that names the file."""
    try:
        yield
    except InvalidValueError as error:
        raise InvalidFileError(f"{path} cannot be loaded: {error}") from error
    except GpucnnError:
        raise
    except DAMAGE as error:
        raise InvalidFileError(
            f"{path} is damaged, or not a file of Keras ({printable(repr(error))}): save it anew"
        ) from error
