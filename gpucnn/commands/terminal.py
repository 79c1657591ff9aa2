"""Printing tables, progress, and images with a model's prediction.

Rich is imported where it is used, so that importing this module stays light.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import printable
from gpucnn.utils.arithmetic import ceil_div

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

T = TypeVar("T")

SHADES = " .:-=+*#%@"  # characters from black to white
BAR = 20  # characters: the bar for a probability of 1
MOST_BARS = 20  # of more classes, half as many are shown, the most probable
WIDEST = 64  # characters of an image; of a wider one every second pixel is shown, and so on

# Tables


def new_table(*texts: str, numbers: tuple[str, ...]) -> "Table":
    """An empty table without rules: columns of text, then of right-aligned numbers.

    Args:
        texts: headings of the text columns.
        numbers: headings of the number columns.
    """
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), pad_edge=False, collapse_padding=True)
    for heading in texts:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def print_table(table: "Table") -> None:
    """Print a table in full width, however narrow the terminal."""
    from rich.console import Console

    console = Console(markup=False, emoji=False)  # cells are plain text
    width = console.measure(table, options=console.options.update(width=1000)).maximum
    console.width = max(console.width, width)
    console.print(table)


# Progress


def tracked(items: Iterable[T], doing: str, count: int) -> Iterable[T]:
    """Items, with a progress bar on a terminal while they are taken.

    Args:
        items: as they come.
        doing: the bar's title.
        count: of the items.
    """
    from rich.console import Console
    from rich.progress import track

    is_terminal = sys.stdout.isatty()
    return track(items, doing, count, console=Console(), transient=True, disable=not is_terminal)


# Predictions


def show_prediction(
    console: "Console",
    title: str,
    pixels: NDArray[np.uint8],
    probabilities: NDArray[np.floating[Any]],
    names: Sequence[str],
    label: int | None = None,
) -> None:
    """Print an image, the probability of each class, and the predicted class.

    The image is printed in grey levels on a colour terminal, and in ASCII characters elsewhere,
    such as in a file. The probabilities are printed beside it, or below it on a narrow console.

    Args:
        console: where to print.
        title: a line above the image, such as its file name.
        pixels: the image, (h, w), (h, w, 1), or (h, w, 3) in colour.
        probabilities: (classes,), in [0, 1].
        names: of the classes.
        label: the true class, if known: the prediction is then marked as right or wrong.
    """
    from rich.columns import Columns
    from rich.text import Text

    in_colour = _has_colour(console)
    step = ceil_div(pixels.shape[1], WIDEST)
    shown = pixels.reshape(*pixels.shape[:2], -1)[::step, ::step]
    names = [printable(each, 50) for each in names]
    image = _half_blocks(shown) if in_colour else _characters(shown)
    bars = _bars(probabilities, names, "█" if in_colour else "#")
    console.print(Text(printable(title), style="bold"))
    console.print(Columns([image, bars], padding=(0, 3)))
    console.print(_verdict(probabilities, names, label))


def _has_colour(console: "Console") -> bool:
    can_draw = console.is_terminal and not console.options.ascii_only
    return can_draw and console.color_system is not None and not console.no_color


def _half_blocks(pixels: NDArray[np.uint8]) -> "Text":
    """Two pixels a character: the upper as its foreground, the lower as its background."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    colours = _pairs_of_rows(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    lines = []
    for upper, lower in colours.tolist():
        cells = [
            ("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
            for above, below in zip(upper, lower, strict=True)
        ]
        lines.append(Text.assemble(*cells))
    return Text("\n", no_wrap=True).join(lines)


def _characters(pixels: NDArray[np.uint8]) -> "Text":
    """Two pixels a character, which is about twice as high as wide: it shows their mean."""
    from rich.text import Text

    brightness = _pairs_of_rows(pixels).mean(axis=(1, 3)) / 255
    shades = np.rint(brightness * (len(SHADES) - 1)).astype(int)
    lines = ["".join(SHADES[shade] for shade in row) for row in shades]
    return Text("\n".join(lines), no_wrap=True)


def _pairs_of_rows(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image as (ceil(h / 2), 2, w, channels), with a black row appended if h is odd."""
    height, width, channels = pixels.shape
    return np.pad(pixels, ((0, height % 2), (0, 0), (0, 0))).reshape(-1, 2, width, channels)


def _bars(probabilities: NDArray[np.floating[Any]], names: Sequence[str], mark: str) -> "Table":
    """A line for each class: its probability, as a bar of `mark` and as a number."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(min_width=BAR, no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    likeliest = int(probabilities.argmax())
    shown = range(len(names))
    if len(names) > MOST_BARS:
        shown = np.argsort(-probabilities, kind="stable")[: MOST_BARS // 2].tolist()
    for number in shown:
        name, probability = names[number], float(probabilities[number])
        table.add_row(
            Text(f"> {name}" if number == likeliest else name),
            mark * round(BAR * probability),
            f"{probability:.1%}",
            style="bold" if number == likeliest else None,
        )
    return table


def _verdict(
    probabilities: NDArray[np.floating[Any]], names: Sequence[str], label: int | None
) -> "Text":
    from rich.text import Text

    likeliest = int(probabilities.argmax())
    text = Text(f"{names[likeliest]}, with {probabilities[likeliest]:.1%}")
    if label is None:
        return text
    if label == likeliest:
        return text.append(": right", "green")
    return text.append(f": wrong, it is {names[label]}", "red")
