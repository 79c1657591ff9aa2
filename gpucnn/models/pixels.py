"""The encoding of the pixels that a model was trained on, and the conversion of others to it.

Bytes, 0 to 255, are commonly passed around as numbers in four encodings: b / 255, b / 255 - 0.5,
b / 127.5 - 1 and b itself. A model trained on bytes has seen the second, since bytes are normalised
so here; or the last, if it begins with `Rescaling` or the like, see `takes_bytes_as_they_are`. The
encoding of floating-point pixels is inferred from their range: they are in the one whose interval
contains them and of which they span more than `SHARE`; at most one qualifies. Pixels normalised in
another way, such as to mean 0 and variance 1, are in no encoding.

| trained on | given | the model gets |
| --- | --- | --- |
| unknown | anything | the pixels unchanged |
| elsewhere, on what is not known | floats | the pixels unchanged |
| elsewhere, on what is not known | bytes | an error |
| bytes | bytes | the pixels unchanged |
| an encoding | bytes | the pixels in that encoding |
| bytes or an encoding | floats in the same encoding | the pixels unchanged |
| bytes or an encoding | floats in another encoding | the pixels converted, if clear (a) |
| bytes or an encoding | floats in none, in the interval | the pixels unchanged, if likely (b) |
| bytes or an encoding | floats in none, beyond the interval | an error |
| floats in no encoding | bytes | an error |
| floats in no encoding | floats in an encoding | the pixels unchanged, if likely (c) |
| floats in no encoding | floats in none | the pixels unchanged |

(a) Where they also lie within the interval of the training encoding, their minimum must be that of
the other one: 0 to 1 within -1 to 1 is another encoding; 0.1 to 0.9 may be a bright image, and is
an error.
(b) They may be a dark or low-contrast image in another encoding. It is an error if none of them is
below the middle of an interval around 0, or if they span less than the step between two bytes,
unless all are equal.
(c) It is an error if they exceed the range of the training images, or span their encoding from end
to end.

Floating-point vectors are in no encoding, whatever their range: their numbers are no pixels.

Bytes with a maximum of 1 or 16, say, have the same dtype as others. A warning points them out,
since as bytes of 0 to 255 they are nearly black; and a model trained on them refuses any others.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn.datasets.device_dataset import extremes
from gpucnn.errors import InvalidValueError
from gpucnn.layers import Layer, takes_bytes_as_they_are
from gpucnn.utils.warn import warn

SHARE = 0.6  # of an encoding's interval; above the half of it that another may contain
STEP = 1 / 255  # of an interval, between consecutive bytes
TOLERANCE = STEP / 4  # of an interval, for rounding
LARGEST = sys.float_info.max
LOOKED_AT = 256  # images, to tell what they show
GROUND = 0.5  # of the pixels of handwriting; those of MNIST are black by 0.81
DARK = 16  # a maximum up to which bytes are nearly black
LONGEST_NAME = 4096  # characters in the name of a data set
KINDS = BYTES, FLOATS, NUMBERS, ELSEWHERE = "bytes", "floats", "numbers", "elsewhere"
"""Of pixels; numbers are those of vectors, and the last are not known, see `trained_elsewhere`."""

KEY = "pixels"  # in the description of a model
BUILT_IN = "built-in MNIST"  # the name of the data set that comes with the package


class Encoding(NamedTuple):
    """The numbers that represent the bytes 0 and 255; those between are evenly spaced."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """The width of the interval."""
        return self.high - self.low

    def contains(self, pixels: "Pixels") -> bool:
        """Whether the pixels lie in the interval, but for rounding."""
        margin = TOLERANCE * self.width
        return self.low - margin <= pixels.low and pixels.high <= self.high + margin

    def begins_with(self, pixels: "Pixels") -> bool:
        """Whether the minimum of the pixels is that of the interval, but for rounding."""
        return abs(pixels.low - self.low) <= TOLERANCE * self.width


NORMALIZED = Encoding(-0.5, 0.5)  # what bytes become in `Backend.gather_images`
AS_THEY_ARE = Encoding(0, 255)  # what they are if they are not normalised
Conversion = tuple[Encoding, Encoding]  # from the first to the second
TELL = "say what bytes became there, as set_encoding(0, 1) or `gpucnn import --encoding 0 1` does"
ENCODINGS = (Encoding(0, 1), NORMALIZED, Encoding(-1, 1), AS_THEY_ARE)


def encoding_of_bytes(layers: Sequence[Layer]) -> Encoding:
    """The encoding in which a model of these layers sees bytes."""
    return AS_THEY_ARE if takes_bytes_as_they_are(layers) else NORMALIZED


@dataclass(frozen=True)
class Pixels:
    """The kind and range of the pixels of a set of images.

    Args:
        kind: one of `KINDS`.
        low: the minimum.
        high: the maximum.
        data: the source of the images, as for `load_dataset`, or `BUILT_IN`; None if unknown.
        photographs: whether grey images are photographs, and not handwriting, as that of MNIST;
            None if that is not known.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    kind: str
    low: float
    high: float
    data: str | None = None
    photographs: bool | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidValueError(f"the kind of pixels is none of {KINDS}")
        if not all(
            type(each) in (int, float) and -LARGEST <= each <= LARGEST
            for each in (self.low, self.high)
        ):
            raise InvalidValueError("the range of pixels is not of two finite numbers")
        if self.low > self.high or (self.kind == BYTES and not 0 <= self.low <= self.high <= 255):
            raise InvalidValueError("the range of pixels is none of such pixels")
        if self.data is not None and not _is_name(self.data):
            raise InvalidValueError("the data set of pixels is not one line of text")
        if self.photographs not in (True, False, None):
            raise InvalidValueError("whether images are photographs is neither true nor false")

    @classmethod
    def of(cls, images: NDArray[Any], data: str | None = None) -> "Pixels":
        """The pixels of images.

        Args:
            images: uint8 or real (n, ...), finite, at least one.
            data: their source; ignored if it is not one line of text.
        """
        kind = NUMBERS if images.ndim == 2 else FLOATS
        if images.dtype == np.uint8:
            kind = BYTES
        name = data if _is_name(data) else None
        return cls(kind, *extremes(images), name)

    @classmethod
    def of_training(cls, images: NDArray[Any]) -> "Pixels":
        """The same of images that are trained on, and what grey ones show, as far as they tell.

        Photographs have no ground; handwriting has one, which is most of it, of the lowest value or
        of the highest.
        """
        pixels = cls.of(images)
        if images.ndim not in (3, 4) or images.shape[3:] not in ((), (1,)):
            return pixels
        looked_at = images[:LOOKED_AT]
        ground = max((looked_at == end).mean() for end in (pixels.low, pixels.high))
        return replace(pixels, photographs=bool(ground < GROUND))

    @property
    def contrast(self) -> float:
        """The maximum minus the minimum."""
        return self.high - self.low

    def encoding(self, of_bytes: Encoding = NORMALIZED) -> Encoding | None:
        """The encoding in which a model sees these pixels; None if it is none of the four.

        Args:
            of_bytes: that in which it sees bytes.
        """
        if self.kind == BYTES:
            return of_bytes
        for encoding in ENCODINGS if self.kind == FLOATS else ():
            if encoding.contains(self) and self.contrast > SHARE * encoding.width:
                return encoding
        return None

    @property
    def are_dark(self) -> bool:
        """Whether these are bytes that can hardly be meant as 0 to 255."""
        return self.kind == BYTES and 0 < self.high <= DARK

    def after(self, earlier: "Pixels | None") -> "Pixels":
        """The record of a model trained on `earlier` pixels, then on these.

        It is the union of both if they have one kind and encoding; otherwise the latest, which the
        weights follow.
        """
        if earlier is None:
            return self
        encodings = {self.encoding(), earlier.encoding()} - {None}
        if earlier.kind != self.kind or len(encodings) > 1:
            return self
        return self.joined(earlier)

    def joined(self, others: "Pixels") -> "Pixels":
        """Those of both together, of the same kind."""
        return replace(self, low=min(self.low, others.low), high=max(self.high, others.high))

    def __str__(self) -> str:
        if self.kind == ELSEWHERE:
            return "pixels elsewhere, which are not known"
        return f"{self.kind} from {self.low:g} to {self.high:g}"


def _is_name(data: Any) -> bool:
    return isinstance(data, str) and data.isprintable() and len(data) <= LONGEST_NAME


def trained_elsewhere(layers: Sequence[Layer]) -> Pixels | None:
    """The record of a model of these layers that another library has trained.

    Bytes can be given to it only if it takes them as they are, or once it is told what they were
    converted to, see `Sequential.set_encoding`.
    """
    return None if takes_bytes_as_they_are(layers) else Pixels(ELSEWHERE, 0, 0)


def encoded(low: float, high: float) -> Pixels:
    """The pixels of images in which these numbers stand for the bytes 0 and 255.

    Raises:
        InvalidValueError: they are those of no encoding that is known.
    """
    if (low, high) not in ENCODINGS:
        known = ", ".join(f"({each.low:g}, {each.high:g})" for each in ENCODINGS)
        raise InvalidValueError(f"the encoding is {(low, high)!r}: choose one of {known}")
    return Pixels(FLOATS, float(low), float(high))


def trained_on(pixels: Pixels, earlier: Pixels | None) -> Pixels:
    """The record of a model trained on `earlier` pixels, then on `pixels`.

    Warns:
        GpucnnWarning: these are bytes, and nearly black; or the model was trained elsewhere, on
            what is not known.
    """
    if pixels.are_dark:
        _warn_of_dark(pixels)
    if earlier is not None and earlier.kind == ELSEWHERE and pixels.kind == BYTES:
        warn(
            f"the model was trained on {earlier}, and goes on with bytes as pixel / 255 - 0.5: "
            f"{TELL}, and give it to fit in that encoding"
        )
    return pixels.after(earlier)


def like_training(
    images: NDArray[Any],
    trained: Pixels | None,
    dtype: "np.dtype[np.floating]",
    of_bytes: Encoding = NORMALIZED,
) -> NDArray[Any]:
    """Convert images to the encoding that a model was trained on, by the table of this module.

    Args:
        images: uint8 or real, finite, at least one.
        trained: the pixels of the training images; None if unknown.
        dtype: real, of the model.
        of_bytes: the encoding in which the model sees bytes.

    Returns:
        The images themselves, or a converted copy of `dtype`.

    Raises:
        InvalidValueError: the conversion cannot be determined.

    Warns:
        GpucnnWarning: the images are bytes, and nearly black, unlike the training images.
    """
    if trained is None:
        return images
    return convert(images, conversion(Pixels.of(images), trained, of_bytes), dtype)


def conversion(
    given: Pixels, trained: Pixels, of_bytes: Encoding = NORMALIZED
) -> Conversion | None:
    """How pixels are brought to the encoding that a model was trained on; None to leave them.

    Arguments, errors and warnings are those of `like_training`.
    """
    _check_brightness(given, trained)
    if trained.kind == ELSEWHERE:
        if given.kind != BYTES:
            return None
        raise InvalidValueError(
            f"the images are {given}, but the model was trained on {trained}: {TELL}"
        )
    source, target = given.encoding(of_bytes), trained.encoding(of_bytes)
    if source is not None and target is not None:
        if source == target:
            return None
        if given.kind == BYTES or not target.contains(given) or source.begins_with(given):
            return source, target
    elif _may_be_alike(given, trained, of_bytes):
        return None
    raise InvalidValueError(
        f"the images are {given}, but the model was trained on {trained}, and how to convert them "
        "is not known: normalise them as the training images were"
    )


def as_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """An image (h, w, ...) for display, of uint8 or real; one in no encoding from min to max."""
    pixels = Pixels.of(image[None])
    if pixels.kind == BYTES:
        return image
    low, high = pixels.encoding() or (pixels.low, pixels.high)
    shares = (image - low) / ((high - low) or 1)
    levels: NDArray[np.uint8] = np.rint(255 * shares.clip(0, 1)).astype(np.uint8)
    return levels


def to_description(pixels: Pixels | None) -> dict[str, Any]:
    """The entry for `pixels` in the description of a model file; none if they are unknown."""
    return {} if pixels is None else {KEY: asdict(pixels)}


def from_description(description: dict[str, Any]) -> Pixels | None:
    """The pixels in the description of a model; None if it has none, as from early versions.

    Raises:
        InvalidValueError: a value is not allowed.
        TypeError: the entry does not describe pixels.
    """
    return Pixels(**description[KEY]) if KEY in description else None


def _check_brightness(given: Pixels, trained: Pixels) -> None:
    if trained.are_dark and (given.kind != BYTES or given.high > DARK):
        raise InvalidValueError(
            f"the images are {given}, but the model was trained on {trained}: give it such"
        )
    if given.are_dark and not trained.are_dark:
        _warn_of_dark(given)


def _warn_of_dark(pixels: Pixels) -> None:
    warn(
        f"the images are bytes of at most {pixels.high:g}, which are nearly black among bytes of 0 "
        f"to 255: multiply them by {255 // int(pixels.high)}, or give floating-point numbers",
    )


def _may_be_alike(given: Pixels, trained: Pixels, of_bytes: Encoding) -> bool:
    """Whether pixels can be used unchanged, where `given` or `trained` is in no encoding."""
    source, target = given.encoding(of_bytes), trained.encoding(of_bytes)
    if target is not None:
        has_no_low = (
            target.low < 0 <= given.low or given.contrast < (STEP + TOLERANCE) * target.width
        )
        return target.contains(given) and (given.contrast == 0 or not has_no_low)
    if source is None:
        return True
    seen = trained.low <= given.low and given.high <= trained.high
    return given.kind != BYTES and seen and (given.low, given.high) != source


def convert(
    images: NDArray[Any], how: Conversion | None, dtype: "np.dtype[np.floating]"
) -> NDArray[Any]:
    """Convert images as `conversion` says; the images themselves if it says nothing."""
    if how is None:
        return images
    source, target = how
    if images.dtype == np.uint8:
        values = np.arange(256) * target.width / 255 + target.low
        encoded: NDArray[Any] = values.astype(dtype)[images]
        return encoded
    converted = images.astype(dtype)
    converted -= source.low
    converted *= target.width / source.width
    converted += target.low
    return converted
