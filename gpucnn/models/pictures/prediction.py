"""What a model says of images, to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.models.pictures.images import height_for, show_image
from gpucnn.utils.arithmetic import ceil_div
from gpucnn.utils.plots import BLUE, has_matplotlib, new_figure, to_html
from gpucnn.utils.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN, COLUMNS = 10, 5  # images
MOST_BARS = 10  # of an image
TILE, BARS = 1.75, 0.8  # the width of an image, and the height of its bars, in inches
OTHER = "#bbbbbb"
LONGEST = 14  # characters of the name of a class in a picture
UPRIGHT = 2  # characters of names that fit below bars without being turned


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """Images, and the probability of each class for each of them.

    Jupyter shows the first images, and the probabilities as bars.

    Args:
        images: (n, height, width, channels).
        probabilities: real (n, classes).
        class_names: by number; None if the classes have no names.
    """

    images: NDArray[Any]
    probabilities: NDArray[Any]
    class_names: tuple[str, ...] | None = field(default=None, kw_only=True)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each image, int64 (n,)."""
        classes: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return classes

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, or their numbers."""
        return names_or_numbers(self.class_names, self.probabilities.shape[1])

    def __len__(self) -> int:
        """The number of images."""
        return len(self.images)

    def __repr__(self) -> str:
        names, rows = self.names, self.probabilities[:SHOWN]
        said = [f"{names[row.argmax()]} ({row.max():.1%})" for row in rows]
        more = ", ..." if len(self) > SHOWN else ""
        return f"{type(self).__name__}({self._count}: {', '.join(said)}{more})"

    def plot(self) -> "Figure":
        """Draw the first images, and below each the probabilities of its classes.

        Of more than ten classes, those of the ten most probable.

        Returns:
            A figure of Matplotlib's, which notebooks show, and `savefig` writes.

        Raises:
            MissingExtraError: Matplotlib is not installed.
        """
        shown = min(len(self), SHOWN)
        columns = min(shown, COLUMNS)
        rows = ceil_div(shown, columns)
        heights = [height_for(TILE, self.images.shape[1:]), BARS]
        figure = new_figure(TILE * columns, (sum(heights) + 0.5) * rows + 0.3)
        panels = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=heights * rows)
        for unused in panels.flat:
            unused.set_axis_off()
        for number in range(shown):
            above, below = panels[2 * (number // columns) :, number % columns][:2]
            show_image(above, self.images[number])
            _draw_bars(below, self.probabilities[number], self.names)
        if len(self) > SHOWN:
            figure.suptitle(self._title)
        return figure

    def _repr_html_(self) -> str:
        """The picture, as Jupyter shows the prediction; without Matplotlib a table."""
        if len(self) and has_matplotlib():
            return to_html(self.plot(), repr(self))
        return self._table().to_html()

    def _table(self) -> Table:
        names = self.names
        rows = [
            (number, names[row.argmax()], f"{row.max():.1%}")
            for number, row in enumerate(self.probabilities[:SHOWN])
        ]
        return Table(self._title, ("image", "predicted class", "probability"), rows)

    @property
    def _count(self) -> str:
        return f"{len(self):,} image{'s' * (len(self) != 1)}"

    @property
    def _title(self) -> str:
        first = f"The first {SHOWN} of " if len(self) > SHOWN else ""
        return f"{first}{self._count}"


def names_or_numbers(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """The names of so many classes, or the numbers of classes that have none."""
    return tuple(map(str, range(count))) if names is None else tuple(names)


def shortened(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Names for a picture, in which long ones are cut."""
    return [each if len(each) <= longest else f"{each[: longest - 1]}…" for each in names]


def _draw_bars(axes: "Axes", probabilities: NDArray[Any], names: Sequence[str]) -> None:
    """Draw the probabilities of the classes of an image, the highest in colour, with its value."""
    classes = np.argsort(-probabilities, kind="stable")[:MOST_BARS]
    best = classes[0]
    if len(classes) == len(probabilities):
        classes = np.sort(classes)
    axes.set_axis_on()
    colours = [BLUE if each == best else OTHER for each in classes]
    axes.bar(range(len(classes)), probabilities[classes], color=colours)
    shown = shortened([names[each] for each in classes])
    turned = 90 if max(map(len, shown)) > UPRIGHT else 0
    axes.set_xticks(range(len(classes)), shown, fontsize=7, rotation=turned, parse_math=False)
    axes.set(ylim=(0, 1), yticks=[])
    (said,) = shortened([names[best]])
    axes.set_title(f"{said}: {probabilities[best]:.1%}", fontsize=9, parse_math=False)
    axes.tick_params(length=0)
    axes.spines[["top", "left", "right"]].set_visible(False)
