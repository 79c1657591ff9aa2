"""`gpucnn export`: write a saved model as an ONNX file, or for PyTorch or Keras."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.commands.options import Checkpoint
from gpucnn.models.exchange.export import ONNX
from gpucnn.models.pixels import FLOATS
from gpucnn.models.sequential import Sequential


def export(
    checkpoint: Checkpoint,
    output: Annotated[Path, typer.Argument(help="The file to write, such as model.onnx")],
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="onnx; torch for a state dict, .safetensors; or keras, .keras or .weights.h5",
        ),
    ] = ONNX,
    pixels: Annotated[
        str,
        typer.Option(
            help="What an ONNX file takes: floats, as the model was trained on, or bytes, 0 to 255"
        ),
    ] = FLOATS,
) -> None:
    """Write a saved model as an ONNX file, which computes what predict does, or for others."""
    Sequential.load(checkpoint, "cpu").export(output, file_format, pixels=pixels)
    print(f"saved {output}")
