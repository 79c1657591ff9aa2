"""What `Sequential.export` writes, by format."""

import os
from collections.abc import Sequence
from pathlib import Path

from safetensors.numpy import save

from gpucnn.errors import InvalidValueError
from gpucnn.layers import Layer
from gpucnn.models.exchange.exported import Exported
from gpucnn.models.exchange.keras.hdf5 import h5py
from gpucnn.models.exchange.keras.to_keras import to_archive, to_hdf5
from gpucnn.models.exchange.onnx.file import check_onnx
from gpucnn.models.exchange.onnx.to_onnx import to_onnx
from gpucnn.models.exchange.page.to_page import to_page
from gpucnn.models.exchange.torch.state_dict import to_state_dict
from gpucnn.models.exchange.torch.to_torch import modules_of_model
from gpucnn.models.pixels import (
    BYTES,
    ELSEWHERE,
    FLOATS,
    TELL,
    Encoding,
    Pixels,
    encoding_of_bytes,
)
from gpucnn.utils import arguments

ONNX, TORCH, KERAS, PAGE = "onnx", "torch", "keras", "page"

OF_WEIGHTS = ".weights.h5"

SUFFIXES = {
    ONNX: (".onnx",),
    TORCH: (".safetensors",),
    KERAS: (".keras", OF_WEIGHTS),
    PAGE: (".html",),
}
"""How the names of files end, by format."""


def check_export(path: str | os.PathLike[str], file_format: str | None, pixels: str) -> str:
    """The format of an export, once its arguments are checked, and that what it needs is installed.

    Args:
        path: of the file.
        file_format: one of `SUFFIXES`; None for that of the file's name.
        pixels: what an ONNX file takes.

    Raises:
        InvalidValueError: there is no such format, the name does not end as that of such a file
            does, or the file takes no pixels.
        MissingExtraError: the package that writes it, onnx or h5py, is not installed.
    """
    arguments.one_of(pixels, "pixels", (FLOATS, BYTES))
    if file_format is not None:
        arguments.one_of(file_format, "format", tuple(SUFFIXES))
    formats = [file_format] if file_format else list(SUFFIXES)
    chosen = next((each for each in formats if Path(path).name.endswith(SUFFIXES[each])), None)
    if chosen is None:
        suffixes = [suffix for each in formats for suffix in SUFFIXES[each]]
        raise InvalidValueError(
            f"the file to export to is {str(path)!r}: give a name that ends in "
            f"{' or '.join(suffixes)}"
        )
    if chosen != ONNX and pixels == BYTES:
        raise InvalidValueError(
            f"pixels is {BYTES!r}, but of the formats only {ONNX} can take them: leave it out"
        )
    if chosen == KERAS:
        h5py()
    if chosen == ONNX:
        check_onnx()
    return chosen


def content_of(
    path: str | os.PathLike[str],
    exported: Exported,
    file_format: str,
    pixels: str,
    trained: Pixels | None,
) -> bytes:
    """The content of the file.

    Args:
        path: of the file, of which the name decides what of Keras's it is.
        exported: the model.
        file_format: one of `SUFFIXES`.
        pixels: what an ONNX file takes, `FLOATS` or `BYTES`.
        trained: the pixels that the model was trained on; None if unknown.

    Raises:
        InvalidTypeError: a layer is not one of the library's.
        InvalidValueError: the model cannot be had in the format.
    """
    if file_format == TORCH:
        modules = modules_of_model(exported)
        return save(to_state_dict(modules, exported.weights, exported.dtype))
    if file_format == KERAS:
        is_of_weights = Path(path).name.endswith(OF_WEIGHTS)
        return to_hdf5(exported) if is_of_weights else to_archive(exported)
    if file_format == PAGE:
        return to_page(exported, encoding_of(trained, exported.layers, takes_bytes=True))
    takes_bytes = pixels == BYTES
    encoding = encoding_of(trained, exported.layers, takes_bytes)
    return to_onnx(exported, encoding, takes_bytes=takes_bytes)


def encoding_of(
    trained: Pixels | None, layers: Sequence[Layer], takes_bytes: bool
) -> Encoding | None:
    """The encoding of the pixels that a model takes; None if it is not known.

    Args:
        trained: the pixels that it was trained on; None if unknown.
        layers: of the model.
        takes_bytes: whether bytes are to be brought to it.

    Raises:
        InvalidValueError: they cannot be.
    """
    of_bytes = encoding_of_bytes(layers)
    if trained is None:
        return of_bytes if takes_bytes else None
    encoding = trained.encoding(of_bytes)
    if takes_bytes and encoding is None:
        raise InvalidValueError(
            f"the model was trained on {trained}, and how to convert bytes to such is not known: "
            f"{TELL if trained.kind == ELSEWHERE else 'export it for floats'}"
        )
    return encoding
