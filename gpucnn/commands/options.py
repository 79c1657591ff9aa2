"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Checkpoint = Annotated[Path, typer.Argument(help="A file saved by gpucnn")]
Data = Annotated[
    str | None,
    typer.Option(help="A folder of IDX files, or the address of one (default: built-in MNIST)"),
]
Threads = Annotated[
    int | None, typer.Option(help="Of the CPU (default: the cores that may be used)")
]
Device = Annotated[str, typer.Option(help="Where to compute, see gpucnn devices")]
