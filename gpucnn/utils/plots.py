"""Plots as PNG files, by Matplotlib, which is not always installed."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gpucnn.errors import GpucnnError, InvalidValueError
from gpucnn.utils.storage.files import check_writable, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 120

# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLUE, SKY, GREEN = "#0072b2", "#56b4e9", "#009e73"
ORANGE, VERMILION, PURPLE = "#e69f00", "#d55e00", "#cc79a7"


def check_plot(path: str | os.PathLike[str]) -> None:
    """Check that a plot can be drawn and written to `path`.

    Raises:
        InvalidValueError: the name does not end in .png.
        InvalidFileError: `path` is a directory, or its folder does not exist.
        GpucnnError: Matplotlib is not installed.
        OSError: the file cannot be written.
    """
    file = Path(path)
    if file.suffix != ".png":
        raise InvalidValueError(f"the plot's file is {str(file)!r}: give a name that ends in .png")
    try:
        import matplotlib  # noqa: F401 - imported here: it is not always installed
    except ImportError as error:
        raise GpucnnError(
            "a plot needs Matplotlib, which is not installed: pip install matplotlib"
        ) from error
    check_writable(file)


def write_figure(path: str | os.PathLike[str], figure: "Figure") -> None:
    """Write a figure to a PNG file, once `check_plot` has passed, with its errors of files."""
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)
