"""Whether layers that vary the brightness of images are given such of their range."""

from collections.abc import Sequence

from gpucnn.errors import InvalidValueError
from gpucnn.layers import (
    Augmentation,
    Layer,
    MixingLayer,
    OfRange,
    Scaling,
    takes_bytes_as_they_are,
)
from gpucnn.models.graph import IMAGES, Graph
from gpucnn.models.pixels import BYTES, SHARE, TOLERANCE, Pixels, encoding_of_bytes


def check_value_ranges(layers: Sequence[Layer], graph: Graph, pixels: Pixels) -> None:
    """Refuse a `value_range` that is not that of the pixels where its layer is.

    It has to contain them, but for rounding, and they have to span more than `SHARE` of it. Layers
    behind others than those that scale or vary images are not looked at.

    Args:
        layers: of a model, in order.
        graph: theirs.
        pixels: those of the training images.

    Raises:
        InvalidValueError: a range is of other pixels.
    """
    ends = pixels.encoding(encoding_of_bytes(layers)) or (pixels.low, pixels.high)
    are_normalized = pixels.kind == BYTES and not takes_bytes_as_they_are(layers)
    given = {IMAGES: ends}  # what is black and white in the outputs of layers
    for number, (layer, inputs) in enumerate(zip(layers, graph.inputs, strict=True)):
        if inputs[0] not in given:
            continue
        low, high = given[inputs[0]]
        if isinstance(layer, OfRange):
            _check(layer, low, high, are_normalized)
        if isinstance(layer, Scaling):
            given[number] = _scaled(layer, low, high)
        elif isinstance(layer, (Augmentation, MixingLayer)):
            given[number] = low, high


def _scaled(layer: Scaling, low: float, high: float) -> tuple[float, float]:
    pairs = zip(layer.scales, layer.offsets, strict=True)
    ends = [end * scale + offset for scale, offset in pairs for end in (low, high)]
    return min(ends), max(ends)


def _check(layer: OfRange, low: float, high: float, are_normalized: bool) -> None:
    least, most = layer.value_range
    margin = TOLERANCE * (most - least)
    is_inside = least - margin <= low and high <= most + margin
    if not is_inside or high - low <= SHARE * (most - least):
        instead = f"value_range=({low:g}, {high:g})"
        if are_normalized:
            instead += ", or put Rescaling(1 / 255) behind it, for bytes as they are"
        raise InvalidValueError(
            f"{layer.name} has value_range={layer.value_range!r}, but the pixels that it is given "
            f"are from {low:g} to {high:g}: give {instead}"
        )
