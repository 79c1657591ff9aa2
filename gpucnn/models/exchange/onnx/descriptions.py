"""What the description of a graph's input tells of its pixels."""

from gpucnn.models.pixels import ENCODINGS, Encoding


def describe(encoding: Encoding | None) -> str:
    """The description of an input of pixels in an encoding; "" for one that is not known."""
    return "" if encoding is None else f"pixels of {encoding.low:g} to {encoding.high:g}"


def encoding_in(description: str) -> Encoding | None:
    """The encoding that a description tells; None if it tells none."""
    return next((each for each in ENCODINGS if describe(each) == description), None)
