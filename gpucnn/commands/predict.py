"""`gpucnn predict`: read digits with a saved model."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.sequential import Sequential


def predict(checkpoint: Annotated[Path, typer.Argument(help="A file saved by gpucnn")]) -> None:
    """To come with the images."""
    Sequential.load(checkpoint)
