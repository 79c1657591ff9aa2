"""`gpucnn import`: make a model of another library's file, and save it."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.commands.options import check_other_file
from gpucnn.models.exchange.keras.files import is_of_keras
from gpucnn.models.model import Model
from gpucnn.models.pixels import ELSEWHERE

UNKNOWN = (
    "which pixels it was trained on is not known, so that it takes none of 0 to 255: if they were "
    "pixel / 255 there, import it with --encoding 0 1"
)


def import_(
    source: Annotated[
        Path, typer.Argument(help="An ONNX file, such as PyTorch's or Keras's, or a .keras file")
    ],
    output: Annotated[
        Path, typer.Argument(help="The model file to write, such as model.safetensors")
    ],
    encoding: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help="The numbers that stood for pixels of 0 and 255 when the model was trained: "
            "0 1, -0.5 0.5, -1 1 or 0 255",
        ),
    ] = None,
) -> None:
    """Make a model of a file of a convolutional classifier, and save it."""
    check_other_file(output, source)
    read = Model.load if is_of_keras(source) else Model.from_onnx
    model = read(source, "cpu")
    if encoding is not None:
        model.set_encoding(*encoding)
    model.save(output)
    model.summary()
    print(f"saved {output}")
    if model.pixels is not None and model.pixels.kind == ELSEWHERE:
        print(UNKNOWN)
