"""Images in a picture: upright, grey or in colour, alone or side by side."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import InvalidValueError
from gpucnn.utils.arithmetic import ceil_div

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = 3  # the channels of an image that are red, green and blue
GAP = 1  # pixels between the tiles of a mosaic


def check_is_of_images(shape: tuple[int, ...]) -> None:
    """Check that the inputs of a model can be shown.

    Raises:
        InvalidValueError: they are no images.
    """
    if len(shape) != 3:
        raise InvalidValueError(
            f"the model takes inputs of the shape {shape}, which cannot be shown: pictures need "
            "images, (height, width, channels)"
        )


def show_image(axes: "Axes", image: NDArray[Any]) -> None:
    """Show an image, without an axis.

    Args:
        axes: where.
        image: (height, width, channels); bytes as they are, floating-point numbers from the least,
            black, to the greatest. Of other channels than one or three, the mean.
    """
    grey = image.shape[2] != COLOURS
    pixels = image.mean(axis=2) if grey else image
    low, high = (0, 255) if image.dtype == np.uint8 else (pixels.min(), pixels.max())
    scaled = (pixels - low) / max(float(high - low), np.finfo(np.float32).tiny)
    axes.imshow(scaled, cmap="gray" if grey else None, vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()


def height_for(width: float, shape: tuple[int, ...]) -> float:
    """The height of an image that is shown in a width, both in inches."""
    return max(width * shape[0] / shape[1], 0.2)


def mosaic(tiles: NDArray[Any], columns: int) -> NDArray[Any]:
    """Tiles side by side, row by row, with gaps of NaN.

    Args:
        tiles: real (n, height, width) or (n, height, width, 3).
        columns: tiles in a row.
    """
    count, height, width, *channels = tiles.shape
    rows = ceil_div(count, columns)
    size = rows * (height + GAP) - GAP, columns * (width + GAP) - GAP
    joined = np.full((*size, *channels), np.nan)
    for number, tile in enumerate(tiles):
        top, left = (height + GAP) * (number // columns), (width + GAP) * (number % columns)
        joined[top : top + height, left : left + width] = tile
    return joined
