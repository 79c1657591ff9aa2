"""The kernels of a convolution, and what the layers make of an image."""

from collections.abc import Mapping
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.models.pictures.images import COLOURS, height_for, mosaic, show_image
from gpucnn.utils.arithmetic import ceil_div
from gpucnn.utils.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_FILTERS, MOST_COLUMNS, MOST_CHANNELS, MOST_MAPS = 64, 32, 32, 32  # drawn, the first ones
MAPS_IN_A_ROW = 16
WIDTH, TILE = 9.0, 0.55  # of a figure, and of a feature map, in inches
BETWEEN = "#cccccc"
SIGNED = "PuOr"  # negative orange, positive purple, 0 white


# Filters


def draw_filters(kernel: NDArray[Any], name: str) -> "Figure":
    """Draw the kernels of a convolution.

    Those of colour images are drawn in colour. Of other images with several channels, each filter
    is a column with a kernel for each channel.

    Args:
        kernel: real (height, width, channels, filters).
        name: of the layer.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    height, width, channels, filters = kernel.shape
    most = MOST_FILTERS if channels in (1, COLOURS) else MOST_COLUMNS
    shown = kernel[:, :, :MOST_CHANNELS, :most]
    tiles = np.moveaxis(shown, (3, 2), (0, 1))  # filters, channels, height, width
    largest = float(np.abs(shown).max())
    title = f"{name}: {_shown(tiles.shape[0], filters, 'filters')} of {height} x {width}"
    if channels == 1:
        return _draw_grid(tiles[:, 0], largest, title)
    if channels == COLOURS:
        in_colour = 0.5 + np.moveaxis(tiles, 1, -1) / (2 * largest or 1)
        text = f"{title}\na weight of 0 is half bright, {-largest:.2g} dark, {largest:.2g} bright"
        return _draw_grid(in_colour, None, text)
    of_channels = f"{title} x {_shown(tiles.shape[1], channels, 'input channels')}"
    return _draw_columns(tiles, largest, of_channels)


def _shown(count: int, of: int, what: str) -> str:
    return f"{of} {what}" if count == of else f"the first {count} of {of} {what}"


def _draw_grid(tiles: NDArray[Any], largest: float | None, title: str) -> "Figure":
    """Draw a kernel for each filter, in rows."""
    columns = min(ceil(sqrt(2 * len(tiles))), 12)
    rows = ceil_div(len(tiles), columns)
    figure = new_figure(max(0.7 * columns + 1, 5), rows * height_for(0.7, tiles.shape[1:]) + 1)
    axes = figure.subplots()
    _show(axes, mosaic(tiles, columns), largest)
    axes.set_xticks(_centres(columns, tiles.shape[2]), [str(each) for each in range(columns)])
    starts = [f"{row * columns} +" for row in range(rows)]
    axes.set_yticks(_centres(rows, tiles.shape[1]), starts)
    axes.set_ylabel("filter")
    axes.set_title(title)
    return figure


def _draw_columns(tiles: NDArray[Any], largest: float, title: str) -> "Figure":
    """Draw a column for each filter, with a kernel for each channel."""
    filters, channels, height, width = tiles.shape
    figure = new_figure(
        max(0.35 * filters + 2, 6), channels * height_for(0.35, (height, width)) + 1.2
    )
    axes = figure.subplots()
    by_row = np.swapaxes(tiles, 0, 1).reshape(-1, height, width)
    _show(axes, mosaic(by_row, filters), largest)
    axes.set_xticks(_centres(filters, width), [str(each) for each in range(filters)])
    axes.set_yticks(_centres(channels, height), [str(each) for each in range(channels)])
    axes.set(xlabel="filter", ylabel="input channel", title=title)
    return figure


def _show(axes: "Axes", tiles: NDArray[Any], largest: float | None) -> None:
    """Show a mosaic of weights up to `largest`, or of colours."""
    if largest is None:
        axes.imshow(np.where(np.isnan(tiles), 1, tiles), interpolation="nearest")
    else:
        shown = axes.imshow(
            tiles, cmap=SIGNED, vmin=-largest, vmax=largest, interpolation="nearest"
        )
        assert axes.figure is not None
        axes.figure.colorbar(shown, ax=axes, label="weight")
    axes.set_facecolor(BETWEEN)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _centres(count: int, size: int) -> list[float]:
    """The middles of the tiles of a mosaic along an axis."""
    return [(size + 1) * number + (size - 1) / 2 for number in range(count)]


# Feature maps


def draw_activations(image: NDArray[Any], maps: Mapping[str, NDArray[Any]], said: str) -> "Figure":
    """Draw an image, and below it the feature maps that each layer makes of it.

    Args:
        image: (height, width, channels).
        maps: real (height, width, channels), by the name of the layer.
        said: what the model predicts.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    heights = [1.5, *(_height(each) for each in maps.values())]
    figure = new_figure(WIDTH, sum(heights) + 0.35 * len(heights))
    panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False).ravel()
    show_image(panels[0], image)
    panels[0].set_title(f"the image, {image.shape[0]} x {image.shape[1]}; {said}", loc="left")
    for axes, (name, each) in zip(panels[1:], maps.items(), strict=True):
        _draw_maps(axes, each, name)
    for axes in panels:
        axes.set_anchor("W")
    return figure


def _height(maps: NDArray[Any]) -> float:
    rows = ceil_div(min(maps.shape[2], MOST_MAPS), MAPS_IN_A_ROW)
    return rows * height_for(TILE, maps.shape)


def _draw_maps(axes: "Axes", maps: NDArray[Any], name: str) -> None:
    height, width, channels = maps.shape
    tiles = np.moveaxis(maps[..., :MOST_MAPS], 2, 0)
    axes.imshow(mosaic(tiles, MAPS_IN_A_ROW), cmap="gray", interpolation="nearest")
    axes.set_axis_off()
    count = _shown(len(tiles), channels, "maps")
    low, high = float(maps.min()), float(maps.max())
    axes.set_title(
        f"{name}: {count} of {height} x {width}, {low:.3g} (black) to {high:.3g} (white)",
        loc="left",
        fontsize="medium",
    )
