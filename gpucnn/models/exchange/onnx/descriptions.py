"""What a file tells beside its graph: of the pixels, and of the classes."""

import json
from collections.abc import Mapping, Sequence

from gpucnn.models.exchange.class_names import CLASS_NAMES, checked_names
from gpucnn.models.pixels import ENCODINGS, Encoding


def describe(encoding: Encoding | None) -> str:
    """The description of an input of pixels in an encoding; "" for one that is not known."""
    return "" if encoding is None else f"pixels of {encoding.low:g} to {encoding.high:g}"


def encoding_in(description: str) -> Encoding | None:
    """The encoding that a description tells; None if it tells none."""
    return next((each for each in ENCODINGS if describe(each) == description), None)


def metadata_of(class_names: Sequence[str] | None) -> dict[str, str]:
    """The metadata of a file for classes of these names."""
    return {} if class_names is None else {CLASS_NAMES: json.dumps(class_names)}


def names_in(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """The names of the classes that metadata tell; None if they tell none.

    Raises:
        InvalidValueError: they are no list of texts.
    """
    if CLASS_NAMES not in metadata:
        return None
    try:
        names = json.loads(metadata[CLASS_NAMES])
    except (ValueError, RecursionError):
        names = None
    return checked_names(names)
