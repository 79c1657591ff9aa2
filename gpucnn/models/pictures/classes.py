"""What a model takes for what: a matrix of the classes, and its worst mistakes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.models.pictures.images import height_for, show_image
from gpucnn.models.pictures.prediction import UPRIGHT, Prediction, shortened
from gpucnn.utils.arithmetic import ceil_div
from gpucnn.utils.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TOLD = 20  # classes of which each number is written
CELL = 0.62  # inches
SHOWN, COLUMNS = 20, 5  # mistakes
TILE = 1.75  # inches
LONGEST = 8  # characters of the name of a class above a mistake


@dataclass(frozen=True, eq=False, repr=False)
class Classified(Prediction):
    """What a model says of images, and what they are.

    Args:
        images: see `Prediction`.
        probabilities: see `Prediction`.
        labels: the true classes, whole numbers (n,).
    """

    labels: NDArray[Any]

    @property
    def losses(self) -> NDArray[Any]:
        """The cross-entropy of each image, real (n,)."""
        mine = self.probabilities[np.arange(len(self.labels)), self.labels]
        losses: NDArray[Any] = -np.log(np.maximum(mine, np.finfo(mine.dtype).tiny))
        return losses

    @property
    def mistakes(self) -> NDArray[np.int64]:
        """The numbers of the images that are taken for another class, highest loss first."""
        (wrong,) = np.nonzero(self.predicted != self.labels)
        mistakes: NDArray[np.int64] = wrong[np.argsort(-self.losses[wrong], kind="stable")]
        return mistakes

    @property
    def counts(self) -> NDArray[np.int64]:
        """The images by true class, then by predicted class, int64 (classes, classes)."""
        classes = self.probabilities.shape[1]
        pairs = self.labels * classes + self.predicted
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


# The matrix


def draw_confusion(classified: Classified) -> "Figure":
    """Draw how many images of each class are taken for which, and what share of the class that is.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    counts = classified.counts
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes, total = len(counts), int(counts.sum())
    side = max(CELL * min(classes, MOST_TOLD), 3)
    figure = new_figure(side + 2, side + 1)
    axes = figure.subplots()
    shown = axes.imshow(rates, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(shown, ax=axes, label="share of the images of the true class")
    bar.ax.yaxis.set_major_formatter("{x:.0%}")
    if classes <= MOST_TOLD:
        _write_cells(axes, counts, rates)
        names = shortened(classified.names)
        turned = 90 if max(map(len, names)) > UPRIGHT else 0
        axes.set_xticks(range(classes), names, rotation=turned, parse_math=False)
        axes.set_yticks(range(classes), names, parse_math=False)
    right = np.trace(counts) / total
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(f"{right:.2%} of {total:,} images are classified correctly")
    return figure


def _write_cells(axes: "Axes", counts: NDArray[Any], rates: NDArray[Any]) -> None:
    """Write the count of each cell, and below it the share if there is any."""
    for (row, column), count in np.ndenumerate(counts):
        rate = rates[row, column]
        text = f"{count:,}\n{rate:.1%}" if count else "0"
        colour = "#999999" if not count else "white" if rate > 0.5 else "black"
        axes.text(column, row, text, fontsize=7.5, color=colour, ha="center", va="center")


# Mistakes


def draw_mistakes(classified: Classified) -> "Figure":
    """Draw the images that are taken for another class, highest loss first.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    mistakes, images = classified.mistakes, len(classified.labels)
    worst = mistakes[:SHOWN]
    if not len(worst):
        figure = new_figure(5, 1)
        figure.suptitle(f"No mistake in {images:,} images")
        return figure
    rows = ceil_div(len(worst), COLUMNS)
    height = height_for(TILE, classified.images.shape[1:])
    figure = new_figure(TILE * COLUMNS, (height + 0.55) * rows + 0.4)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, number in zip(panels, worst, strict=False):
        _draw_mistake(axes, classified, int(number))
    for unused in panels[len(worst) :]:
        unused.set_axis_off()
    figure.suptitle(
        f"{_counted(len(worst), len(mistakes))} in {images:,} images "
        f"({len(mistakes) / images:.2%}), highest loss first"
    )
    return figure


def _counted(shown: int, mistakes: int) -> str:
    if shown < mistakes:
        return f"The {shown} worst of {mistakes:,} mistakes"
    return f"The {mistakes} mistakes" if mistakes > 1 else "The only mistake"


def _draw_mistake(axes: "Axes", classified: Classified, number: int) -> None:
    truth, said = int(classified.labels[number]), int(classified.predicted[number])
    mine, names = classified.probabilities[number], shortened(classified.names, LONGEST)
    show_image(axes, classified.images[number])
    axes.set_title(
        f"image {number}, loss {classified.losses[number]:.2f}\n"
        f"true class {names[truth]}: {mine[truth]:.1%}\n"
        f"predicted {names[said]}: {mine[said]:.1%}",
        fontsize=8,
        parse_math=False,
    )
