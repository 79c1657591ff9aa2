"""Warnings that point at the program's own line, however deep in the package they arise."""

import sys
import warnings
from pathlib import Path

from gpucnn.errors import GpucnnWarning

PACKAGE = str(Path(__file__).parents[1]) + "/"


def warn(message: str) -> None:
    """Warn, as of the line outside of this package that called it."""
    depth, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, GpucnnWarning, stacklevel=depth)
