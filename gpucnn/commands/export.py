"""`gpucnn export`: write a saved model as an ONNX file, for PyTorch or Keras, or as a page."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.commands.options import Checkpoint, check_other_file
from gpucnn.errors import InvalidValueError, printable
from gpucnn.models.exchange.export import ONNX, PAGE
from gpucnn.models.pixels import FLOATS
from gpucnn.models.sequential import Sequential


def export(
    checkpoint: Checkpoint,
    output: Annotated[Path, typer.Argument(help="The file to write, such as model.onnx")],
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="onnx; torch for a state dict, .safetensors; keras, .keras or .weights.h5; or "
            "page, .html (default: onnx)",
        ),
    ] = None,
    page: Annotated[
        bool,
        typer.Option(
            "--page",
            help="As --format page: an HTML file to draw on, which runs the model in the browser",
        ),
    ] = False,
    pixels: Annotated[
        str,
        typer.Option(
            help="What an ONNX file takes: floats, as the model was trained on, or bytes, 0 to 255"
        ),
    ] = FLOATS,
) -> None:
    """Write a saved model as an ONNX file, which computes what predict does, or for others."""
    if page and file_format not in (None, PAGE):
        raise InvalidValueError(f"--page is not of --format {printable(file_format)}: give one")
    chosen = PAGE if page else file_format or ONNX
    check_other_file(output, checkpoint)
    Sequential.load(checkpoint, "cpu").export(output, chosen, pixels=pixels)
    print(f"saved {output}")
