"""`gpucnn evaluate`: measure a saved model on the test images."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.data import load_mnist
from gpucnn.sequential import Sequential


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A file saved by gpucnn")],
    data: Annotated[
        str | None,
        typer.Option(help="A folder of IDX files, or the address of one (default: built-in MNIST)"),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to compute, see gpucnn devices")] = "auto",
) -> None:
    """Measure a saved model on the test images."""
    model = Sequential.load(checkpoint, device)
    _, (images, labels) = load_mnist(data)
    loss, accuracy = model.evaluate(images, labels)
    correct = round(accuracy * len(labels))
    print(f"{correct:,} of {len(labels):,} test images are classified correctly")
    print(f"accuracy {accuracy:.2%}, loss {loss:.4f}")
