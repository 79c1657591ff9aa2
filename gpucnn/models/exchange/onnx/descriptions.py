"""What a file tells beside its graph: of the pixels, and of the classes."""

import json
from collections.abc import Mapping
from typing import Any

from gpucnn.models.exchange.metadata import CLASS_NAMES, PHOTOGRAPHS, Metadata
from gpucnn.models.pixels import ENCODINGS, Encoding

KEYS = CLASS_NAMES, PHOTOGRAPHS
NO_JSON = "none"  # which no entry may be


def describe(encoding: Encoding | None) -> str:
    """The description of an input of pixels in an encoding; "" for one that is not known."""
    return "" if encoding is None else f"pixels of {encoding.low:g} to {encoding.high:g}"


def encoding_in(description: str) -> Encoding | None:
    """The encoding that a description tells; None if it tells none."""
    return next((each for each in ENCODINGS if describe(each) == description), None)


def metadata_of(told: Metadata) -> dict[str, str]:
    """The metadata of a file that tells this, each as JSON."""
    return {key: json.dumps(value) for key, value in told.entries().items()}


def told_in(metadata: Mapping[str, str]) -> Metadata:
    """What metadata tell.

    Raises:
        InvalidValueError: they are not such as `metadata_of` gives.
    """
    return Metadata.of({key: _loaded(metadata[key]) for key in KEYS if key in metadata})


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return NO_JSON
