"""What pixels a model was trained on, and how those that it is given later are made like them.

A byte b, 0 to 255, is passed around as numbers in four ways, the encodings: b / 255, b / 255 - 0.5,
b / 127.5 - 1 and b itself. A model that is trained on bytes has seen the second of them, since that
is what bytes become here. Which encoding floating-point pixels are in is told from their range: the
encoding whose interval they lie in and fill by more than `SHARE`. At most one can be so filled.
Pixels normalised in another way, such as to a mean of 0 and a variance of 1, are in no encoding.

| trained on | given | the model gets |
| --- | --- | --- |
| not known | anything | it as it is |
| bytes | bytes | them as they are |
| an encoding | bytes | them in that encoding |
| bytes or an encoding | floats in the same encoding | them as they are |
| bytes or an encoding | floats in another | them converted, if they must be so (a) |
| bytes or an encoding | floats in none, in the interval | them as they are, if they can be so (b) |
| bytes or an encoding | floats in none, beyond the interval | an error |
| floats in no encoding | bytes | an error |
| floats in no encoding | floats in an encoding | them as they are, if they can be so (c) |
| floats in no encoding | floats in none | them as they are |

(a) Where they lie in the interval that the model was trained on, too, their least is to be that of
the other: 0 to 1 within -1 to 1 is another encoding; 0.1 to 0.9 may be a bright image, and is an
error.
(b) They may be a dark or pale image in another encoding. They are an error if none of them is below
the middle of an interval around 0, or if they differ by less than a byte's least step, unless they
are all equal. (c) They are an error if they are beyond the range that the model was trained on, or
go from one end of their encoding to the other.

Bytes whose greatest is 1 or 16, say, are not told from others by their type. A warning tells of
those, since as bytes of 0 to 255 they are nearly black; and a model that was trained on them takes
no others.
"""

import sys
import warnings
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import GpucnnWarning, InvalidValueError

SHARE = 0.6  # of an encoding's interval; more than the half that lies in another's
STEP = 1 / 255  # of an interval, from a byte to the next
TOLERANCE = STEP / 4  # of an interval, for numbers that were rounded
LARGEST = sys.float_info.max
DARK = 16  # bytes up to this one are nearly black
LONGEST_NAME = 4096  # characters of the name of a data set
KINDS = BYTES, FLOATS = "bytes", "floats"
KEY = "pixels"  # of the description of a model
BUILT_IN = "built-in MNIST"  # the name of the data set that comes with the package


class Encoding(NamedTuple):
    """The numbers that stand for the bytes 0 and 255; those between are evenly spaced."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """Of the interval."""
        return self.high - self.low

    def contains(self, pixels: "Pixels") -> bool:
        """Whether they lie in the interval."""
        margin = TOLERANCE * self.width
        return self.low - margin <= pixels.low and pixels.high <= self.high + margin

    def begins_with(self, pixels: "Pixels") -> bool:
        """Whether the least of them is that of the interval."""
        return abs(pixels.low - self.low) <= TOLERANCE * self.width


OF_BYTES = Encoding(-0.5, 0.5)  # what bytes become in `Backend.gather_images`
ENCODINGS = (Encoding(0, 1), OF_BYTES, Encoding(-1, 1), Encoding(0, 255))


@dataclass(frozen=True)
class Pixels:
    """What is known of the pixels of a set of images.

    Args:
        kind: "bytes" or "floats".
        low: the least pixel.
        high: the greatest.
        data: where the images come from, as `load_mnist` takes it, or `BUILT_IN`; None where that
            is not known.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    kind: str
    low: float
    high: float
    data: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidValueError("the kind of pixels is neither bytes nor floats")
        if not all(
            type(each) in (int, float) and -LARGEST <= each <= LARGEST
            for each in (self.low, self.high)
        ):
            raise InvalidValueError("the range of pixels is not of two finite numbers")
        if self.low > self.high or (self.kind == BYTES and not 0 <= self.low <= self.high <= 255):
            raise InvalidValueError("the range of pixels is none of such pixels")
        if self.data is not None and not _is_name(self.data):
            raise InvalidValueError("the data set of pixels is not one line of text")

    @classmethod
    def of(cls, images: NDArray[Any], data: str | None = None) -> "Pixels":
        """Those of images, at least one; uint8 or real, and finite.

        The data set is left out if its name is not one line of text.
        """
        kind = BYTES if images.dtype == np.uint8 else FLOATS
        name = data if _is_name(data) else None
        return cls(kind, float(images.min()), float(images.max()), name)

    @property
    def contrast(self) -> float:
        """By how much they differ at most."""
        return self.high - self.low

    @property
    def encoding(self) -> Encoding | None:
        """What the model is given where pixels are like these, or None if it is none of those."""
        if self.kind == BYTES:
            return OF_BYTES
        for encoding in ENCODINGS:
            if encoding.contains(self) and self.contrast > SHARE * encoding.width:
                return encoding
        return None

    @property
    def are_dark(self) -> bool:
        """Whether they are bytes that were hardly meant to be from 0 to 255."""
        return self.kind == BYTES and 0 < self.high <= DARK

    def after(self, earlier: "Pixels | None") -> "Pixels":
        """What a model has seen that is trained on these after `earlier` ones.

        Of the same kind and encoding, it has seen both; otherwise its weights follow the latest.
        """
        if earlier is None:
            return self
        encodings = {self.encoding, earlier.encoding} - {None}
        if earlier.kind != self.kind or len(encodings) > 1:
            return self
        low, high = min(self.low, earlier.low), max(self.high, earlier.high)
        return Pixels(self.kind, low, high, self.data)

    def __str__(self) -> str:
        return f"{self.kind} from {self.low:g} to {self.high:g}"


def _is_name(data: Any) -> bool:
    return isinstance(data, str) and data.isprintable() and len(data) <= LONGEST_NAME


def trained_on(images: NDArray[Any], earlier: Pixels | None) -> Pixels:
    """The record of a model that is trained on images, after `earlier` ones.

    Warns:
        GpucnnWarning: they are bytes that are nearly black.
    """
    pixels = Pixels.of(np.asarray(images))
    if pixels.are_dark:
        _warn_of_dark(pixels)
    return pixels.after(earlier)


def like_training(
    images: NDArray[Any], trained: Pixels | None, dtype: "np.dtype[np.floating]"
) -> NDArray[Any]:
    """Images as a model is to be given them, by the table at the top of this module.

    Args:
        images: uint8 or real, and finite; at least one.
        trained: what the model was trained on, or None where that is not known.
        dtype: the model's.

    Returns:
        The images themselves, or, where their encoding is another, a copy of `dtype`.

    Raises:
        InvalidValueError: it is not known how to make them like those that it was trained on.

    Warns:
        GpucnnWarning: they are bytes that are nearly black, and it was not trained on such.
    """
    if trained is None:
        return images
    given = Pixels.of(images)
    _check_brightness(given, trained)
    source, target = given.encoding, trained.encoding
    if source is not None and target is not None:
        if source == target:
            return images
        if given.kind == BYTES or not target.contains(given) or source.begins_with(given):
            return _converted(images, source, target, dtype)
    elif _may_be_alike(given, trained):
        return images
    raise InvalidValueError(
        f"the images are {given}, but the model was trained on {trained}, and how to convert them "
        "is not known: normalise them as the training images were"
    )


def as_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images, uint8 or real, to be looked at: what is in no encoding from its least to its most."""
    pixels = Pixels.of(images)
    if pixels.kind == BYTES:
        return images
    low, high = pixels.encoding or (pixels.low, pixels.high)
    shares = (images - low) / ((high - low) or 1)
    levels: NDArray[np.uint8] = np.rint(255 * shares.clip(0, 1)).astype(np.uint8)
    return levels


def to_description(pixels: Pixels | None) -> dict[str, Any]:
    """What the description of a model in a file has on its pixels."""
    return {} if pixels is None else {KEY: asdict(pixels)}


def from_description(description: dict[str, Any]) -> Pixels | None:
    """The pixels in a model's description; None in one that has none, as of earlier versions.

    Raises:
        InvalidValueError: a value is not allowed.
        TypeError: it is not a description of pixels.
    """
    return Pixels(**description[KEY]) if KEY in description else None


def _check_brightness(given: Pixels, trained: Pixels) -> None:
    if trained.are_dark and (given.kind == FLOATS or given.high > DARK):
        raise InvalidValueError(
            f"the images are {given}, but the model was trained on {trained}: give it such"
        )
    if given.are_dark and not trained.are_dark:
        _warn_of_dark(given)


def _warn_of_dark(pixels: Pixels) -> None:
    warnings.warn(
        f"the images are bytes of at most {pixels.high:g}, which are nearly black among bytes of 0 "
        f"to 255: multiply them by {255 // int(pixels.high)}, or give floating-point numbers",
        GpucnnWarning,
        stacklevel=4,
    )


def _may_be_alike(given: Pixels, trained: Pixels) -> bool:
    """Whether pixels, where one of the two is in no encoding, can be used as they are."""
    source, target = given.encoding, trained.encoding
    if target is not None:
        has_no_low = (
            target.low < 0 <= given.low or given.contrast < (STEP + TOLERANCE) * target.width
        )
        return target.contains(given) and (given.contrast == 0 or not has_no_low)
    if source is None:
        return True
    seen = trained.low <= given.low and given.high <= trained.high
    return given.kind == FLOATS and seen and (given.low, given.high) != source


def _converted(
    images: NDArray[Any], source: Encoding, target: Encoding, dtype: "np.dtype[np.floating]"
) -> NDArray[Any]:
    if images.dtype == np.uint8:
        values = np.arange(256) * target.width / 255 + target.low
        encoded: NDArray[Any] = values.astype(dtype)[images]
        return encoded
    converted = images.astype(dtype)
    converted -= source.low
    converted *= target.width / source.width
    converted += target.low
    return converted
