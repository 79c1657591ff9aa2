"""`gpucnn export`: write a saved model as an ONNX file."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.commands.options import Checkpoint
from gpucnn.models.pixels import FLOATS
from gpucnn.models.sequential import Sequential


def export(
    checkpoint: Checkpoint,
    output: Annotated[Path, typer.Argument(help="The ONNX file to write, such as model.onnx")],
    pixels: Annotated[
        str,
        typer.Option(
            help="What the file takes: floats, as the model was trained on, or bytes, 0 to 255"
        ),
    ] = FLOATS,
) -> None:
    """Write a saved model as an ONNX file, which computes in float32 what predict does."""
    Sequential.load(checkpoint, "cpu").export(output, pixels=pixels)
    print(f"saved {output}")
