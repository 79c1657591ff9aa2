"""Ink on paper: the contrast of each pixel with the paper around it, under uneven light.

The paper is estimated by a morphological closing, which removes what is darker and narrower than
its window, such as strokes, and keeps the rest, such as shadows and fading light.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Ink = NDArray[np.float32]

COARSE = 64  # pixels of the longer side at which the paper is estimated, with the noise averaged
STROKE = 0.3  # of the longer side: the closing's window, wider than a stroke
SURROUNDINGS = 0.7  # of the longer side: a window that is mostly paper
LEAST_CONTRAST = 32  # between ink and paper, of 255
DARKEST = 0.35  # of the lightest paper: ink on darker paper is amplified no further


def ink_on_paper(colours: NDArray[np.uint8]) -> Ink:
    """The contrast with the paper, in whichever channel it is highest: blue for yellow ink.

    Args:
        colours: uint8 (h, w, 3).

    Returns:
        float32 (h, w) in [0, 255].
    """
    ink: Ink = np.max([_ink_in_channel(each) for each in np.moveaxis(colours, 2, 0)], axis=0)
    return ink


def _ink_in_channel(pixels: NDArray[np.uint8]) -> Ink:
    coarse = _resized(pixels.astype(np.float32), min(1, COARSE / max(pixels.shape)))
    if _is_ink_light(coarse):
        paper = -_resized_to(_without_dark_marks(-coarse), pixels.shape)
        ink = pixels - paper
    else:
        paper = _resized_to(_without_dark_marks(coarse), pixels.shape)
        # Ink reflects a fraction of the light: the contrast is in proportion to the paper's level.
        ink = (paper - pixels) / np.maximum(paper / max(1, paper.max()), DARKEST)
    difference: Ink = np.clip(ink - np.median(ink), 0, 255)
    return difference


def _is_ink_light(pixels: Ink) -> bool:
    """Whether most pixels are nearer to the darkest than to the lightest of their surroundings."""
    level = pixels - _slope(pixels)
    radius = _radius(SURROUNDINGS, level)
    darkest, lightest = -_dilation(-level, radius), _dilation(level, radius)
    contrast = lightest - darkest
    clear = contrast >= LEAST_CONTRAST
    shares = (level - darkest)[clear] / contrast[clear]
    return bool(clear.any() and np.median(shares) < 0.5)


def _without_dark_marks(pixels: Ink) -> Ink:
    """The minimum of two closings: of the pixels, and of the pixels without their slope.

    The first preserves the edges of shadows; the second, light that falls off towards the border,
    where the windows are truncated.
    """
    radius, slope = _radius(STROKE, pixels), _slope(pixels)
    lower: Ink = np.minimum(_closing(pixels, radius), slope + _closing(pixels - slope, radius))
    return lower


def _slope(pixels: Ink) -> Ink:
    """A plane, (h, w): its slope is the median difference of pixels half a picture apart."""
    plane = np.zeros_like(pixels)
    for axis, length in enumerate(pixels.shape):
        half = length // 2
        if half:
            first, second = (
                np.split(pixels, [half], axis)[0],
                np.split(pixels, [length - half], axis)[1],
            )
            positions = np.arange(length, dtype=np.float32)
            plane += (
                np.median(second - first) / (length - half) * np.expand_dims(positions, 1 - axis)
            )
    return plane


def _radius(share: float, pixels: Ink) -> int:
    """The radius, in pixels, of a window whose size is that `share` of the longer side."""
    return max(1, round(share * float(max(pixels.shape)) / 2))


def _closing(pixels: Ink, radius: int) -> Ink:
    return -_dilation(-_dilation(pixels, radius), radius)


def _dilation(pixels: Ink, radius: int) -> Ink:
    """The maximum of the window around each pixel, (h, w); windows are truncated at the border."""
    padded = np.pad(pixels, radius, "edge")
    for axis in (0, 1):
        padded = sliding_window_view(padded, 2 * radius + 1, axis).max(axis=-1)
    return padded


def _resized(pixels: Ink, scale: float) -> Ink:
    height, width = (max(1, round(scale * length)) for length in pixels.shape)
    return _resized_to(pixels, (height, width))


def _resized_to(pixels: Ink, shape: tuple[int, ...]) -> Ink:
    """The pixels resized to `shape`: interpolated if it is larger, averaged if smaller."""
    from PIL import Image

    size = (shape[1], shape[0])
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
