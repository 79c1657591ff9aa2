"""Reading a photograph as an image of a given size, the same for training and for prediction."""

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.pictures import (
    MOST_PIXELS,
    UPRIGHT,
    check_pillow,
    check_size,
    in_bytes,
    opened,
    orientation,
    refusing,
    turned_upright,
)
from gpucnn.errors import InvalidFileError, InvalidValueError
from gpucnn.utils.quiet import without_warnings

if TYPE_CHECKING:
    from PIL.Image import Image

KIND = "a picture such as PNG or JPEG"
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""Of Pillow's, without those that run other programs or hold no pixels."""

OF_ONE_HEAD = ("JPEG", "MPO", "WEBP")  # which tell how the camera was held at once
TURNED = "TIFF"  # which Pillow turns upright itself, when it decodes one
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")  # Pillow's modes without colours
CLEAR = ("LA", "La", "PA", "RGBA", "RGBa")  # and those with transparency
WHITE = (255, 255, 255, 255)


LARGE = 2**24  # pixels


class Head(NamedTuple):
    """What the head of a picture tells.

    Attributes:
        height: in pixels, once it is upright.
        width: likewise.
        is_grey: whether it has no colours; a picture with colours may still be grey.
    """

    height: int
    width: int
    is_grey: bool


def read_photo(path: str | os.PathLike[str], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Read a photograph as `load_images` does.

    It is turned upright, scaled to cover the size with its aspect ratio kept, and what lies beyond
    at two sides, equally wide, is cut off. What is transparent becomes white.

    Args:
        path: a PNG or JPEG file, or of another format, see `FORMATS`.
        shape: (height, width, channels) of the image, of which there are 1 or 3.

    Returns:
        uint8 `shape`.

    Raises:
        InvalidFileError: there is no such file, it is not such a picture, it is damaged, or it has
            too many pixels.
        InvalidValueError: the channels are others.
        MissingExtraError: Pillow is not installed.
        OSError: the file cannot be read.
    """
    file = Path(path)
    check_pillow()
    if not file.is_file():
        what = "is a directory" if file.is_dir() else "is not there"
        raise InvalidFileError(f"{file} {what}: give {KIND}")
    with file.open("rb") as opened_file, without_warnings():
        return photo_in(opened_file, str(file), shape)


def photo_in(
    file: BinaryIO,
    name: str,
    shape: tuple[int, int, int],
    most_pixels: int = MOST_PIXELS,
    alone: AbstractContextManager[object] | None = None,
) -> NDArray[np.uint8]:
    """As `read_photo`, of an open file; Pillow is installed, and its warnings are passed on.

    Args:
        file: a picture.
        name: what errors call it.
        shape: of the image, see `read_photo`.
        most_pixels: that the picture may have; a JPEG once it is decoded at a reduced size.
        alone: entered while a picture of more than `LARGE` pixels is decoded; a lock, by which
            threads decode them one after the other.
    """
    height, width, channels = shape
    if channels not in (1, 3):
        raise InvalidValueError(
            f"the model takes images of {channels} channels: photographs have 1, grey, or 3"
        )
    mode = "L" if channels == 1 else "RGB"
    with refusing(name, KIND, most_pixels):
        image = opened(file, formats())
        image.draft(mode, (2 * max(height, width),) * 2)  # a JPEG is decoded at that size at least
        check_size(image, most_pixels)
        is_large = image.width * image.height > LARGE
        with alone if alone is not None and is_large else nullcontext():
            if image.format == TURNED:
                image.load()
            held = orientation(image)
            size = (height, width) if _is_on_its_side(held) else (width, height)
            pixels = np.asarray(turned_upright(_fitted(_opaque(in_bytes(image), mode), size), held))
    return pixels[..., None] if channels == 1 else pixels


def read_head(file: BinaryIO, name: str) -> Head:
    """Read the head of a picture alone, with the errors of `photo_in`."""
    with refusing(name, KIND):
        image = opened(file, formats())
        held = orientation(image) if image.format in OF_ONE_HEAD else 1
        width, height = reversed(image.size) if _is_on_its_side(held) else image.size
        return Head(height, width, image.mode in GREY)


@cache
def formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow reads."""
    from PIL import Image

    Image.init()
    return tuple(each for each in FORMATS if each in Image.OPEN)


def _is_on_its_side(held: int) -> bool:
    return held in UPRIGHT and held >= 5


def _opaque(image: "Image", mode: str) -> "Image":
    """The picture in "L" or "RGB", on white where it is transparent."""
    from PIL import Image

    if image.mode in CLEAR or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, WHITE), rgba)
    return image.convert(mode)


def _fitted(image: "Image", size: tuple[int, int]) -> "Image":
    from PIL import Image, ImageOps

    # As for digits, and in the browser: the sharpest filter that does not overshoot at edges.
    return ImageOps.fit(image, size, Image.Resampling.HAMMING)
