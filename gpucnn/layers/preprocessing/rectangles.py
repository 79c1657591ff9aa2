"""Rectangles at random places of images, that are erased or are those of other images."""

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Array, Buffer
from gpucnn.backends.ops.images.resampling import PIXEL
from gpucnn.layers.base import Layer, Step
from gpucnn.layers.preprocessing.augmentation import number_of

CHOICES = 2**12
"""How many sizes of rectangles, weights or numbers of noise are drawn from."""

PLACES, NOISE = 2**16, 2**17
"""What is added to the index of a layer for the streams of places, and of noise."""

RECTANGLES = {"drawn": Buffer((2,), "int32"), "places": Buffer((2,), "int32")}
"""The buffers of what is drawn for an image."""


def draw_rectangles(layer: Layer, count: int, step: Step) -> tuple[Array, Array]:
    """Draw the rectangles of a microbatch, as `Backend.paste` takes them, with `RECTANGLES`.

    Returns:
        Which of the first `CHOICES` ratios, and of those behind, are an image's; and its places.
    """
    drawn, places = layer.buffer("drawn", count), layer.buffer("places", count)
    which = (0, CHOICES), (CHOICES - 1, 2 * CHOICES - 1)
    anywhere = (0, 0), (PIXEL, PIXEL)
    for (lows, highs), stream, out in ((which, 0, drawn), (anywhere, PLACES, places)):
        layer.backend.draw_integers(
            lows, highs, layer.seed, layer.index + stream, number_of(step), out, step.first
        )
    return drawn, places


def units(shares: NDArray[np.float64]) -> NDArray[np.int32]:
    """Shares from 0 to 1 in units of 1 / `PIXEL`."""
    whole: NDArray[np.int32] = np.rint(shares * PIXEL).astype(np.int32)
    return whole
