"""Ink on paper: by how much each pixel differs from the paper around it, whatever the light.

The paper is estimated by the closing of mathematical morphology, which fills what is darker and
narrower than a window and leaves the rest as it is: strokes go, shadows and fading light stay.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Ink = NDArray[np.float32]

COARSE = 64  # pixels of the longer side, in which the paper is estimated and noise averaged
STROKE = 0.3  # of the longer side: the window, which is wider than strokes
SURROUNDINGS = 0.7  # of the longer side: in these most is paper
LEAST_CONTRAST = 32  # between ink and paper, of 255
DARKEST = 0.35  # of the lightest paper: ink on darker paper is not strengthened further


def ink_on_paper(colours: NDArray[np.uint8]) -> Ink:
    """The difference from the paper, float32 (h, w) in [0, 255], of uint8 `colours` (h, w, 3).

    It is that of the channel in which it is greatest: blue where the ink is yellow.
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
        # Ink reflects a share of the light: in the shade the difference is smaller by that share.
        ink = (paper - pixels) / np.maximum(paper / max(1, paper.max()), DARKEST)
    difference: Ink = np.clip(ink - np.median(ink), 0, 255)
    return difference


def _is_ink_light(pixels: Ink) -> bool:
    """Whether most pixels are near the darkest of their surroundings."""
    level = pixels - _slope(pixels)
    reach = _reach(SURROUNDINGS, level)
    darkest, lightest = -_greatest(-level, reach), _greatest(level, reach)
    contrast = lightest - darkest
    clear = contrast >= LEAST_CONTRAST
    shares = (level - darkest)[clear] / contrast[clear]
    return bool(clear.any() and np.median(shares) < 0.5)


def _without_dark_marks(pixels: Ink) -> Ink:
    """The lower of two closings, of the pixels and of the pixels without their slope.

    The first leaves the edges of shadows as they are; the second does so with light that falls off
    up to the border, where the windows are cut off.
    """
    reach, slope = _reach(STROKE, pixels), _slope(pixels)
    lower: Ink = np.minimum(_closing(pixels, reach), slope + _closing(pixels - slope, reach))
    return lower


def _slope(pixels: Ink) -> Ink:
    """A plane, (h, w), as steep as the median of what pixels half a picture apart differ by."""
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


def _reach(share: float, pixels: Ink) -> int:
    """By how much a window of that share of the longer side extends to each side of its middle."""
    return max(1, round(share * float(max(pixels.shape)) / 2))


def _closing(pixels: Ink, reach: int) -> Ink:
    return -_greatest(-_greatest(pixels, reach), reach)


def _greatest(pixels: Ink, reach: int) -> Ink:
    """The greatest of the window around each pixel, (h, w), which ends at the border."""
    padded = np.pad(pixels, reach, "edge")
    for axis in (0, 1):
        padded = sliding_window_view(padded, 2 * reach + 1, axis).max(axis=-1)
    return padded


def _resized(pixels: Ink, scale: float) -> Ink:
    height, width = (max(1, round(scale * length)) for length in pixels.shape)
    return _resized_to(pixels, (height, width))


def _resized_to(pixels: Ink, shape: tuple[int, ...]) -> Ink:
    """Interpolated to a larger `shape`, averaged to a smaller one."""
    from PIL import Image

    size = (shape[1], shape[0])
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
