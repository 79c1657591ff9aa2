"""Files of pictures, decoded by Pillow, whose many exceptions become lines for the user."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from gpucnn.errors import InvalidFileError, MissingExtraError
from gpucnn.utils.storage.damage import DAMAGE

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 64_000_000  # these take half a gigabyte during conversion
LONGEST_SIDE = 65_535  # JPEG's limit; Pillow allocates memory for each row as well
IN_BYTES = (
    *("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"),
)
"""Pillow's modes of eight bits a channel, or less, that `convert` takes."""
FLOATS, WHOLE_NUMBERS = "F", "I"  # those of more bits, whose names begin so
BITS, MEANING, NUMBERS = 258, 262, 339  # tags of TIFF, which tell how a pixel is written
WHITE_IS_0, UNSIGNED = 0, 1
UPRIGHT = {  # by EXIF's orientation: Pillow's transposition that turns the picture upright
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def check_pillow() -> None:
    """Check that pictures can be read.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        import PIL  # noqa: F401 - imported here: an optional dependency
    except ImportError as error:
        raise MissingExtraError("reading pictures", "Pillow", "images") from error


class OtherPixelsError(Exception):
    """The pixels of a picture are none of which it is known what is black and what is white."""


@contextmanager
def refusing(name: str, kind: str, most_pixels: int = MOST_PIXELS) -> Iterator[None]:
    """Turn Pillow's exceptions, which any step of decoding may raise, into InvalidFileError.

    Args:
        name: of the picture.
        kind: of the pictures that are read, such as "a PNG or JPEG image".
        most_pixels: that it may have.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except InvalidFileError:
        raise
    except UnidentifiedImageError as error:
        raise InvalidFileError(f"{name} is not {kind}: give one, or convert it to one") from error
    except Image.DecompressionBombError as error:  # our limit, or Pillow's if it is lower
        raise InvalidFileError(
            f"{name} has too many pixels: at most {most_pixels:,} are read, "
            f"and {LONGEST_SIDE:,} a side: give a smaller copy"
        ) from error
    except OtherPixelsError as error:
        raise InvalidFileError(
            f"{name} has pixels {error}: give a copy with 8 or 16 bits a channel, in grey or RGB"
        ) from error
    except MemoryError as error:
        raise InvalidFileError(
            f"{name} takes more memory to decode than there is: give a smaller copy"
        ) from error
    except DAMAGE as error:
        raise InvalidFileError(
            f"{name} is cut short or damaged ({error}): give another copy"
        ) from error


def opened(file: BinaryIO, formats: tuple[str, ...]) -> "Image":
    """A picture of which only the head is read yet; to be used within `refusing`."""
    from PIL import Image

    return Image.open(file, formats=formats)


def check_size(image: "Image", most_pixels: int = MOST_PIXELS) -> None:
    """Check that a picture can be decoded in little memory; to be used within `refusing`."""
    from PIL import Image

    if image.width * image.height > most_pixels or max(image.size) > LONGEST_SIDE:
        raise Image.DecompressionBombError


def in_bytes(image: "Image") -> "Image":
    """A picture of 16 bits a pixel, which `convert` would clip at 255, in 8; others as they are.

    What is transparent in such a picture becomes white.

    Raises:
        OtherPixelsError: it has others, such as floating-point numbers; to be used within
            `refusing`.
    """
    from PIL import Image

    if image.mode in IN_BYTES:
        return image
    tags = getattr(image, "tag_v2", {})  # of a TIFF
    bits, numbers = tags.get(BITS, (16,)), tags.get(NUMBERS, (UNSIGNED,))
    if image.mode == FLOATS:
        raise OtherPixelsError("that are floating-point numbers")
    if not image.mode.startswith(WHOLE_NUMBERS):
        raise OtherPixelsError(f"of the kind {image.mode}")
    if bits != (16,) or numbers != (UNSIGNED,):
        raise OtherPixelsError(f"of {bits[0]} bits{', with signs' * (numbers != (UNSIGNED,))}")
    pixels = np.asarray(image).clip(0, 65_535)
    if tags.get(MEANING) == WHITE_IS_0:
        pixels = 65_535 - pixels
    if (clear := image.info.get("transparency")) is not None:
        pixels = np.where(pixels == clear, 65_535, pixels)
    return Image.fromarray((pixels >> 8).astype(np.uint8))


def orientation(image: "Image") -> int:
    """How a camera was held, by EXIF: a key of `UPRIGHT`, or another number."""
    from PIL import ExifTags

    held = image.getexif().get(ExifTags.Base.Orientation)
    return held if isinstance(held, int) else 1


def turned_upright(image: "Image", held: int) -> "Image":
    """A picture taken with a camera that was held so, see `orientation`."""
    from PIL import Image

    # Not ImageOps.exif_transpose, which fails if any other tag cannot be written back.
    return image.transpose(Image.Transpose[UPRIGHT[held]]) if held in UPRIGHT else image
