"""`gpucnn import`: make a model of an ONNX file, and save it."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.commands.options import check_other_file
from gpucnn.models.sequential import Sequential


def import_(
    source: Annotated[
        Path, typer.Argument(metavar="ONNX", help="An ONNX file, such as PyTorch's or Keras's")
    ],
    output: Annotated[
        Path, typer.Argument(help="The model file to write, such as model.safetensors")
    ],
) -> None:
    """Make a model of an ONNX file of a convolutional classifier, and save it."""
    check_other_file(output, source)
    model = Sequential.from_onnx(source, "cpu")
    model.save(output)
    model.summary()
    print(f"saved {output}")
