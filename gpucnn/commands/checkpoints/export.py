"""`gpucnn export`: write a saved model as an ONNX file, for PyTorch or Keras, or as a page."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.commands.options import Checkpoint, check_other_file
from gpucnn.commands.runs import model_name
from gpucnn.models.exchange.export import PAGE, SUFFIXES
from gpucnn.models.model import Model
from gpucnn.models.pixels import FLOATS


def export(
    checkpoint: Checkpoint,
    output: Annotated[
        Path,
        typer.Argument(
            help="The file to write, whose ending tells the format: .onnx; .safetensors, a state "
            "dict for PyTorch; .keras or .weights.h5; or .html, a page to draw on"
        ),
    ],
    page: Annotated[
        bool,
        typer.Option("--page", help="Write a page, which runs the model in the browser, .html"),
    ] = False,
    pixels: Annotated[
        str,
        typer.Option(
            help="What an ONNX file takes: floats, as the model was trained on, or bytes, 0 to 255"
        ),
    ] = FLOATS,
) -> None:
    """Write a saved model as an ONNX file, which computes what predict does, or for others."""
    check_other_file(output, checkpoint)
    model = Model.load(checkpoint, "cpu")
    if output.name.endswith(SUFFIXES[PAGE]):
        model.name = model_name(checkpoint)  # as a server shows it
    model.export(output, PAGE if page else None, pixels=pixels)
    print(f"saved {output}")
