"""The pixels that a prediction depends on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.models.pictures.images import height_for, show_image
from gpucnn.utils.arithmetic import ceil_div
from gpucnn.utils.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_IMAGES, COLUMNS = 10, 5
TILE = 1.9  # inches


def draw_saliency(images: NDArray[Any], gradients: NDArray[Any], said: Sequence[str]) -> "Figure":
    """Draw images, and below each how much the score of its predicted class depends on each pixel.

    That is the size of the gradient, of several channels the greatest.

    Args:
        images: (n, height, width, channels), at most `MOST_IMAGES`.
        gradients: real (n, height, width, channels).
        said: what the model predicts for each image.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    columns = min(len(images), COLUMNS)
    blocks = ceil_div(len(images), columns)
    height = height_for(TILE, images.shape[1:])
    figure = new_figure(max(TILE * columns, 5.2), 2 * (height + 0.25) * blocks + 0.6)
    panels = figure.subplots(2 * blocks, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for number, (image, gradient) in enumerate(zip(images, gradients, strict=True)):
        above, below = panels[2 * (number // columns) :, number % columns][:2]
        show_image(above, image)
        above.set_title(said[number], fontsize=9)
        sizes = np.abs(gradient).max(axis=2)
        below.imshow(sizes, cmap="inferno", vmin=0, interpolation="nearest")
        below.set_title(f"gradient up to {sizes.max():.3g}", fontsize=9)
    figure.suptitle("Change of the predicted class's score with each pixel\n(brighter: more)")
    return figure
