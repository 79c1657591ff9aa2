"""An image and what a model makes of it, shown in a terminal or in plain text.

Rich is imported where it is used, so that importing this module stays light.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SHADES = " .:-=+*#%@"  # characters from black to white
BAR = 20  # the length of the bar for a probability of 1, in characters


def show_prediction(
    console: "Console",
    title: str,
    pixels: NDArray[np.uint8],
    probabilities: NDArray[np.floating[Any]],
    label: int | None = None,
) -> None:
    """Print an image, the probability of each class, and the most likely class.

    A terminal with colours is given the image in grey levels; all else, such as a file, is given
    it in ASCII characters. The probabilities are beside it, or below it where the console is
    narrow.

    Args:
        console: where to print.
        title: the line above, such as the name of the image's file.
        pixels: (h, w), the image.
        probabilities: (classes,), in [0, 1].
        label: the true class, where it is known: the most likely class is then said to be right or
            wrong.
    """
    from rich.columns import Columns
    from rich.text import Text

    in_colour = _has_colour(console)
    image = _half_blocks(pixels) if in_colour else _characters(pixels)
    bars = _bars(probabilities, "█" if in_colour else "#")
    console.print(Text(printable(title), style="bold"))
    console.print(Columns([image, bars], padding=(0, 3)))
    console.print(_verdict(probabilities, label))


def _has_colour(console: "Console") -> bool:
    can_draw = console.is_terminal and not console.options.ascii_only
    return can_draw and console.color_system is not None and not console.no_color


def _half_blocks(pixels: NDArray[np.uint8]) -> "Text":
    """Two pixels a character: the upper in its own colour, the lower in that behind it."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    greys = [Color.from_rgb(level, level, level) for level in range(256)]
    lines = []
    for upper, lower in _pairs_of_rows(pixels).tolist():
        pairs = zip(upper, lower, strict=True)
        cells = [("▀", Style(color=greys[above], bgcolor=greys[below])) for above, below in pairs]
        lines.append(Text.assemble(*cells))
    return Text("\n", no_wrap=True).join(lines)


def _characters(pixels: NDArray[np.uint8]) -> "Text":
    """Two pixels a character, about twice as high as wide: one for the mean of both."""
    from rich.text import Text

    brightness = _pairs_of_rows(pixels).mean(axis=1) / 255
    shades = np.rint(brightness * (len(SHADES) - 1)).astype(int)
    lines = ["".join(SHADES[shade] for shade in row) for row in shades]
    return Text("\n".join(lines), no_wrap=True)


def _pairs_of_rows(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, (rows of text, 2, w), with a black row at the end if h is odd."""
    height, width = pixels.shape
    return np.pad(pixels, ((0, height % 2), (0, 0))).reshape(-1, 2, width)


def _bars(probabilities: NDArray[np.floating[Any]], mark: str) -> "Table":
    """A line a class: its probability, as a bar of `mark` and as a number."""
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(min_width=BAR, no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    likeliest = int(probabilities.argmax())
    for number, probability in enumerate(probabilities.tolist()):
        table.add_row(
            f"> {number}" if number == likeliest else str(number),
            mark * round(BAR * probability),
            f"{probability:.1%}",
            style="bold" if number == likeliest else None,
        )
    return table


def _verdict(probabilities: NDArray[np.floating[Any]], label: int | None) -> "Text":
    from rich.text import Text

    likeliest = int(probabilities.argmax())
    text = Text(f"{likeliest}, with {probabilities[likeliest]:.1%}")
    if label is None:
        return text
    if label == likeliest:
        return text.append(": right", "green")
    return text.append(f": wrong, it is {label}", "red")
