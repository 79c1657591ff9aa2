"""Files of pictures, read as the images that a model takes."""

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.digits.digits import digit_in
from gpucnn.datasets.photos import photo_in
from gpucnn.datasets.pictures import MOST_PIXELS, check_pillow
from gpucnn.errors import InvalidFileError, InvalidValueError
from gpucnn.utils.quiet import without_warnings

if TYPE_CHECKING:
    from gpucnn.models.pictures.pictured import Pictured


def takes_photographs(model: "Pictured") -> bool:
    """Whether pictures are photographs to a model, which `load_images` reads, or handwriting.

    A model in grey is for what it was trained on; one of which that is not known, such as one from
    another library, for handwriting, as of MNIST, unless its classes have names.
    """
    shape = model.input_shape
    if len(shape) != 3 or shape[2] != 1:
        return len(shape) == 3 and shape[2] == 3
    known = None if model.pixels is None else model.pixels.photographs
    return model.class_names is not None if known is None else known


def check_takes_pictures(model: "Pictured") -> None:
    """Check that a model takes images in grey or in colour.

    Raises:
        InvalidValueError: it does not.
    """
    shape = model.input_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise InvalidValueError(
            f"the model takes inputs of shape {shape}: pictures need (height, width, 1) or "
            "(height, width, 3)"
        )


def picture_in(
    file: BinaryIO,
    name: str,
    shape: tuple[int, int, int],
    *,
    is_photograph: bool,
    most_pixels: int = MOST_PIXELS,
) -> NDArray[np.uint8]:
    """The image in a picture, as a model takes it; Pillow is installed.

    Args:
        file: of the picture.
        name: what errors call it.
        shape: (height, width, channels) of the model's images.
        is_photograph: see `takes_photographs`.
        most_pixels: that the picture may have.

    Returns:
        uint8 `shape`.

    Raises:
        InvalidFileError: it is no picture, is damaged, has too many pixels, or shows no digit where
            that is what the model takes.
    """
    if not is_photograph:
        return digit_in(file, name, shape[:2], most_pixels)[..., None]
    with without_warnings():  # of damage that Pillow tolerates
        return photo_in(file, name, shape, most_pixels)


def read_picture(path: Path, model: "Pictured") -> NDArray[np.uint8]:
    """The image in a file, as a model takes it.

    Raises:
        InvalidFileError: there is no such file; and as `picture_in`.
        InvalidValueError: the model takes no pictures.
        MissingExtraError: Pillow is not installed.
        OSError: the file cannot be read.
    """
    check_takes_pictures(model)
    check_pillow()
    if path.is_dir():
        raise InvalidFileError(f"{path} is a directory: give a PNG or JPEG image")
    if not path.is_file():
        raise InvalidFileError(f"there is no file {path}: give a PNG or JPEG image")
    height, width, channels = model.input_shape
    shape = height, width, channels
    with path.open("rb") as file:
        return picture_in(file, str(path), shape, is_photograph=takes_photographs(model))
