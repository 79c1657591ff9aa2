"""Reading a photo, scan or drawing of a digit, with MNIST's preprocessing.

LeCun, Bottou, Bengio and Haffner ("Gradient-based learning applied to document recognition",
Proceedings of the IEEE, 1998) scaled each digit to fit a box of 20x20 pixels with its aspect ratio
kept, which made its edges grey, and placed it in 28x28 pixels with its centre of mass in the
middle. A network trained on their digits recognises only digits prepared in that way.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.digits.ink import Ink, ink_on_paper
from gpucnn.datasets.digits.marks import find_digits
from gpucnn.datasets.pictures import (
    MOST_PIXELS,
    check_pillow,
    check_size,
    in_bytes,
    opened,
    orientation,
    refusing,
    turned_upright,
)
from gpucnn.errors import InvalidFileError
from gpucnn.utils import arguments
from gpucnn.utils.quiet import without_warnings

if TYPE_CHECKING:
    from PIL.Image import Image

BOX = 20 / 28  # the side of the box that a digit is scaled to, as a fraction of the image's
WORKING_SIZE = 20  # times the result: larger pictures are downscaled, which averages their noise
OWN_PAPER_CONTRAST = 128  # of visible pixels: with at least that, they show paper besides ink


def read_digit(
    path: str | os.PathLike[str], shape: tuple[int, int] = (28, 28)
) -> NDArray[np.uint8]:
    """Read a picture of one digit, and preprocess it as MNIST's were.

    The picture is a PNG or JPEG file of any size, in colour or grey; the ink is darker or lighter
    than the paper. The light may be uneven. Lines across the paper, frames and specks are left out,
    and so is what touches the border of the picture, unless there is nothing else. A picture that
    is already preprocessed, such as one of MNIST's, is returned unchanged.

    It needs Pillow, the extra `images`.

    Args:
        path: the file.
        shape: (height, width) of the result.

    Returns:
        uint8 `shape`: the digit in light ink on black, its longer side 20/28 of the image's, its
        centre of mass in the middle.

    Raises:
        InvalidFileError: the file does not exist, is not a PNG or JPEG image, is damaged, has too
            many pixels, or shows no digit, or several.
        InvalidValueError: `shape` is not two whole numbers of at least 1.
        MissingExtraError: Pillow is not installed.
        OSError: the file cannot be read.
    """
    file, size = Path(path), arguments.positive_pair(shape, "shape")
    check_pillow()
    if file.is_dir():
        raise InvalidFileError(f"{file} is a directory: give a PNG or JPEG image")
    if not file.is_file():
        raise InvalidFileError(f"there is no file {file}: give a PNG or JPEG image")
    with file.open("rb") as opened:
        return digit_in(opened, str(file), size)


def digit_in(
    file: BinaryIO, name: str, shape: tuple[int, int], most_pixels: int = MOST_PIXELS
) -> NDArray[np.uint8]:
    """As `read_digit`, of an open file; Pillow is installed.

    Args:
        file: a picture, of which the whole is read.
        name: what errors call it.
        shape: (height, width) of the result, checked.
        most_pixels: that the picture may have.
    """
    height, width = shape
    picture = _read(file, name, most_pixels, WORKING_SIZE * max(shape))
    if _is_prepared(picture, height, width):
        return picture[..., 0]
    digits = find_digits(_ink(picture))
    if not digits:
        raise InvalidFileError(
            f"no digit stands out in {name}: "
            "give an image of one, clearly darker or lighter than the paper around it"
        )
    if len(digits) > 1:
        raise InvalidFileError(f"{len(digits)} marks in {name} may be digits: give an image of one")
    return _centred(_scaled_to_box(digits[0], height, width), height, width)


# The file


def _read(file: BinaryIO, name: str, most_pixels: int, largest: int) -> NDArray[np.uint8]:
    """The picture as RGBA, uint8 (h, w, 4); h and w are at most `largest`."""
    with refusing(name, "a PNG or JPEG image", most_pixels), without_warnings():  # of damage
        image = opened(file, ("PNG", "JPEG"))
        check_size(image, most_pixels)
        return _decode(image, largest)


def _decode(image: "Image", largest: int) -> NDArray[np.uint8]:
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        image.thumbnail((largest, largest))  # before converting: decodes a JPEG at reduced size
    rgba = in_bytes(image).convert("RGBA")
    rgba.thumbnail((largest, largest))
    return np.asarray(turned_upright(rgba, orientation(image)))


# Transparency


def _ink(rgba: NDArray[np.uint8]) -> Ink:
    """The ink of a picture: its contrast with the paper, float32 (h, w) in [0, 255]."""
    paper = _own_paper(rgba)
    opacity = rgba[..., 3:].astype(np.float32) / 255
    if paper is not None:
        composite = rgba[..., :3] * opacity + paper * (1 - opacity)
        return ink_on_paper(np.rint(composite).astype(np.uint8))
    strongest = rgba[..., 3] >= rgba[..., 3].max() / 2
    backdrop = 255 if rgba[strongest, :3].mean() < 128 else 0
    ink: Ink = np.max(np.abs(rgba[..., :3] - np.float32(backdrop)) * opacity, axis=2)
    return ink


def _own_paper(rgba: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The colour of the paper, (3,), for transparent pixels too; None if only ink is visible."""
    visible = rgba[..., 3] >= rgba[..., 3].max() / 2
    colours = rgba[visible, :3]
    is_ink = visible.mean() <= 0.5 or np.ptp(colours, axis=0).max() < OWN_PAPER_CONTRAST
    if is_ink and rgba[..., 3].min() < 255:
        return None
    return np.asarray(np.median(colours, axis=0))


# The digit's size and place


def _is_prepared(rgba: NDArray[np.uint8], height: int, width: int) -> bool:
    """Whether a picture is already preprocessed: grey on black, of the box's size, centred."""
    pixels = rgba[..., 0]
    is_grey = (rgba[..., :3] == pixels[..., None]).all() and rgba[..., 3].min() == 255
    if pixels.shape != (height, width) or not is_grey or not pixels.any():
        return False
    h, w = (int(np.ptp(np.flatnonzero(pixels.any(axis)))) + 1 for axis in (1, 0))
    off_centre = [_centre(pixels.sum(axis)) - pixels.shape[1 - axis] // 2 for axis in (1, 0)]
    return _scale_to_box(h, w, height, width) == 1 and np.abs(off_centre).max() <= 1


def _scale_to_box(h: int, w: int, height: int, width: int) -> float:
    """The factor that scales (h, w) to the largest size in the box of a (height, width) image."""
    return min(round(BOX * height) / h, round(BOX * width) / w)


def _scaled_to_box(ink: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The ink scaled, with anti-aliasing, to the box of a (height, width) image."""
    from PIL import Image

    h, w = ink.shape
    scale = _scale_to_box(h, w, height, width)
    size = (max(1, round(scale * w)), max(1, round(scale * h)))
    # Hamming: the sharpest of Pillow's filters that does not overshoot at edges.
    return np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.HAMMING))


def _centred(ink: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint8]:
    """The ink, with its maximum scaled to 255, centred as far as it fits in (height, width)."""
    top = _start(ink.sum(axis=1), height)
    left = _start(ink.sum(axis=0), width)
    image = np.zeros((height, width), np.uint8)
    digit = image[top : top + ink.shape[0], left : left + ink.shape[1]]
    digit[...] = np.rint(ink * (255 / ink.max()))
    return image


def _start(mass: NDArray[np.float32], length: int) -> int:
    """Where `mass`, (n,), starts in `length` pixels with its centre of mass on the middle one."""
    return int(np.clip(round(length // 2 - _centre(mass)), 0, length - len(mass)))


def _centre(mass: NDArray[Any]) -> float:
    return float(np.average(np.arange(len(mass)), weights=mass))
