"""Photos, scans and drawings of a digit, prepared as the images of MNIST were.

LeCun, Bottou, Bengio and Haffner ("Gradient-based learning applied to document recognition",
Proceedings of the IEEE, 1998) scaled each digit to fit a box of 20x20 pixels with its aspect ratio
kept, which made its edges grey, and placed it in 28x28 pixels with its centre of mass in the
middle. A network that was trained on their digits knows no others.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucnn import arguments
from gpucnn.errors import GpucnnError, InvalidFileError

if TYPE_CHECKING:
    from PIL.Image import Image

BOX = 20 / 28  # the box that a digit is scaled to, as a share of the image
WORKING_SIZE = 20  # times the result: larger pictures are scaled down, which averages their noise
FAINT = 0.3  # of the strongest ink: what is fainter is taken for paper
LEAST_CONTRAST = 32  # between ink and paper, of 255
LEAST_CONTRAST_TO_NOISE = 6  # so that the extremes of a million pixels of noise are not ink
OWN_PAPER_CONTRAST = 128  # from which visible pixels around transparent ones are ink and paper


def read_digit(
    path: str | os.PathLike[str], shape: tuple[int, int] = (28, 28)
) -> NDArray[np.uint8]:
    """Read a picture of one digit, and prepare it as MNIST's digits were prepared.

    The picture is a PNG or JPEG file of any size, in colour or grey, of ink that is darker or
    lighter than the paper; the border of the picture is taken for paper. It needs Pillow, which
    comes with `pip install 'gpucnn[images]'`.

    A picture that already is of `shape`, light ink on dark paper, is used as it is.

    Args:
        path: the file.
        shape: (height, width) of the result.

    Returns:
        uint8 `shape`: the digit in light ink on black, its longer side 20/28 of the image, its
        centre of mass in the middle.

    Raises:
        InvalidFileError: there is no such file, it is not a PNG or JPEG image, it is damaged, it
            has too many pixels, or no digit stands out in it.
        InvalidValueError: `shape` is not two whole numbers of at least 1.
        GpucnnError: Pillow is not installed.
        OSError: the file cannot be read.
    """
    height, width = arguments.positive_pair(shape, "shape")
    picture = _read(Path(path), WORKING_SIZE * max(height, width))
    pixels = _most_contrast(_without_transparency(picture))
    paper = _paper(pixels)
    light_on_dark = paper < (float(pixels.min()) + float(pixels.max())) / 2
    ink = (1 if light_on_dark else -1) * (pixels.astype(np.float32) - paper)
    if not _stands_out(ink):
        raise InvalidFileError(
            f"no digit stands out in {path}: "
            "give an image of one, clearly darker or lighter than the paper around it"
        )
    if light_on_dark and pixels.shape == (height, width):
        return pixels
    return _centred(_scaled_to_box(_cropped(ink), height, width), height, width)


# The file

UPRIGHT = {  # by the orientation in EXIF: what turns the picture upright
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def _read(path: Path, largest: int) -> NDArray[np.uint8]:
    """The picture, uint8 (h, w, 4): red, green, blue, opacity. Neither h nor w is > `largest`."""
    try:
        from PIL import Image  # imported here: it is not always installed
    except ImportError as error:
        raise GpucnnError(
            "reading an image needs Pillow, which is not installed: pip install pillow"
        ) from error
    if path.is_dir():
        raise InvalidFileError(f"{path} is a directory: give a PNG or JPEG image")
    if not path.is_file():
        raise InvalidFileError(f"there is no file {path}: give a PNG or JPEG image")
    with path.open("rb") as file, _refusing(path):
        return _decode(Image.open(file, formats=("PNG", "JPEG")), largest)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what Pillow says of a file into our errors; it may be said at any step of decoding."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damage that Pillow can read past
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except UnidentifiedImageError as error:
        raise InvalidFileError(
            f"{path} is not a PNG or JPEG image: give one, or convert it to one"
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InvalidFileError(
            f"{path} has more than {Image.MAX_IMAGE_PIXELS:,} pixels, the most that are read: "
            "give a smaller copy"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidFileError(
            f"{path} is cut short or damaged ({error}): give another copy"
        ) from error


def _decode(image: "Image", largest: int) -> NDArray[np.uint8]:
    from PIL import ExifTags, Image

    if image.mode.startswith("I"):  # 16 bits a pixel, which `convert` would cut off at 255
        rgba = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGBA")
    else:
        rgba = image.convert("RGBA")
    rgba.thumbnail((largest, largest))
    # Not by ImageOps.exif_transpose, which fails where any other tag cannot be written back.
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    if orientation in UPRIGHT:
        rgba = rgba.transpose(Image.Transpose[UPRIGHT[orientation]])
    return np.asarray(rgba)


# One grey level a pixel


def _without_transparency(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture laid on an opaque backdrop, uint8 (h, w, 3)."""
    opacity = rgba[..., 3:].astype(np.float32) / 255
    laid = rgba[..., :3] * opacity + _backdrop(rgba) * (1 - opacity)
    return np.rint(laid).astype(np.uint8)


def _backdrop(rgba: NDArray[np.uint8]) -> NDArray[Any]:
    """The colour, (3,), on which what is drawn can be seen."""
    visible = rgba[..., 3] >= rgba[..., 3].max() / 2
    colours = rgba[visible, :3]
    colour: NDArray[Any] = np.median(colours, axis=0)
    if visible.mean() > 0.5 and np.ptp(colours, axis=0).max() >= OWN_PAPER_CONTRAST:
        return colour  # of paper, which goes on where nothing is visible
    return np.full(3, 255 if colour.mean() < 128 else 0)  # of ink, with no paper


def _most_contrast(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The channel, (h, w), in which ink and paper differ most: blue where the ink is yellow."""
    channel: NDArray[np.uint8] = max(np.moveaxis(colours, 2, 0), key=np.ptp)
    return np.ascontiguousarray(channel)


# Ink and paper


def _paper(pixels: NDArray[np.uint8]) -> float:
    border = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    return float(np.median(border))


def _stands_out(ink: NDArray[np.float32]) -> bool:
    """Whether the strongest ink is more than noise.

    Noise is by how much pixels differ that have neither an edge nor much uneven light between them.
    """
    apart = 1 + ink.shape[1] // 28  # direct neighbours are too alike in JPEG files
    differences = np.abs(ink[:, apart:] - ink[:, :-apart])
    noise = np.median(differences) if differences.size else 0
    return bool(ink.max() >= max(LEAST_CONTRAST, LEAST_CONTRAST_TO_NOISE * noise))


def _cropped(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """The smallest rectangle with all ink that is not faint, and nothing in it but that ink."""
    strong = ink >= FAINT * ink.max()
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    rectangle = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.where(strong, ink, 0)[rectangle]


# The digit's size and place


def _scaled_to_box(ink: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The ink, anti-aliased, as large as the box in a (height, width) image allows."""
    from PIL import Image

    h, w = ink.shape
    scale = min(round(BOX * height) / h, round(BOX * width) / w)
    size = (max(1, round(scale * w)), max(1, round(scale * h)))
    # Hamming's window: of Pillow's filters the sharpest that does not overshoot at edges.
    return np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.HAMMING))


def _centred(ink: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint8]:
    """The ink, stretched to 255, in black of (height, width), as near to the middle as it fits."""
    top = _start(ink.sum(axis=1), height)
    left = _start(ink.sum(axis=0), width)
    image = np.zeros((height, width), np.uint8)
    digit = image[top : top + ink.shape[0], left : left + ink.shape[1]]
    digit[...] = np.rint(ink * (255 / ink.max()))
    return image


def _start(mass: NDArray[np.float32], length: int) -> int:
    """Where `mass`, (n,), starts in `length` pixels so that its centre falls on the middle one."""
    centre = np.average(np.arange(len(mass)), weights=mass)
    return int(np.clip(round(length // 2 - centre), 0, length - len(mass)))
