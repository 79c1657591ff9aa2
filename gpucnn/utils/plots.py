"""Plots by Matplotlib, which is not always installed, and PNG files of them."""

import os
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from gpucnn.errors import GpucnnError, InvalidValueError, MissingExtraError
from gpucnn.utils.storage.files import check_writable, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 120

# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLUE, SKY, GREEN = "#0072b2", "#56b4e9", "#009e73"
ORANGE, VERMILION, PURPLE = "#e69f00", "#d55e00", "#cc79a7"
SERIES = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, "black")
"""The colours of several things in one plot, in order."""


def check_matplotlib() -> None:
    """Check that plots can be drawn.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401 - imported here: it is not always installed
    except ImportError as error:
        raise MissingExtraError("a plot", "Matplotlib", "plot") from error


def has_matplotlib() -> bool:
    """Whether plots can be drawn."""
    try:
        check_matplotlib()
    except GpucnnError:
        return False
    return True


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of a size in inches, which no global state of Matplotlib knows.

    So it can be drawn in any thread, and is freed like any object. Notebooks show it.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    check_matplotlib()
    from gpucnn.utils.picture import Picture

    return Picture((width, height), dpi=DOTS_PER_INCH, layout="constrained")


def check_plot(path: str | os.PathLike[str]) -> None:
    """Check that a plot can be drawn and written to `path`.

    Raises:
        InvalidValueError: the name does not end in .png.
        InvalidFileError: `path` is a directory, or its folder does not exist.
        MissingExtraError: Matplotlib is not installed.
        OSError: the file cannot be written.
    """
    file = Path(path)
    if file.suffix != ".png":
        raise InvalidValueError(f"the plot's file is {str(file)!r}: give a name that ends in .png")
    check_matplotlib()
    check_writable(file)


def to_html(figure: "Figure", label: str) -> str:
    """The figure as an element of a page: an SVG, no wider than the page.

    Args:
        figure: of Matplotlib's.
        label: what it shows, for those who do not see it.
    """
    file = BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    _, opening, rest = file.getvalue().decode().partition("<svg ")
    shown = f'role="img" aria-label="{escape(label)}" style="max-width:100%;height:auto"'
    return f"{opening}{shown} {rest}"


def write_figure(path: str | os.PathLike[str], figure: "Figure") -> None:
    """Write a figure to a PNG file, once `check_plot` has passed, with its errors of files."""
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)
