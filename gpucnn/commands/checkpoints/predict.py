"""`gpucnn predict`: classify pictures with a saved model."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from numpy.typing import NDArray
from rich.console import Console

from gpucnn.commands.options import Checkpoint, Device, TestData, load_test_set
from gpucnn.commands.terminal import show_prediction
from gpucnn.datasets import Part
from gpucnn.errors import InvalidValueError
from gpucnn.models.model import Model
from gpucnn.models.pictures.files import check_takes_pictures, read_picture
from gpucnn.models.pixels import as_bytes


class Picture(NamedTuple):
    """An image to classify, (height, width) or with channels, and its label if it is known."""

    title: str
    pixels: NDArray[Any]
    label: int | None


def predict(
    checkpoint: Checkpoint,
    images: Annotated[
        list[str],
        typer.Argument(
            help="PNG or JPEG files, of one digit each or photographs, or indices of test images"
        ),
    ],
    data: TestData = None,
    device: Device = "auto",
) -> None:
    """Classify pictures with a saved model, and show them with the probability of each class.

    A model in grey whose classes have no names takes pictures of handwriting, prepared as MNIST's
    were; others take photographs, brought to the size of those that it was trained on.
    """
    model = Model.load(checkpoint, device)
    check_takes_pictures(model)
    test_set = cache(lambda: load_test_set(checkpoint, model, data)[1])  # if an index is given
    pictures = [_load(image, model, test_set) for image in images]
    console = Console()
    for title, pixels, label in pictures:
        said = model.classify(pixels)
        (probabilities,) = said.probabilities
        show_prediction(console, title, as_bytes(pixels), probabilities, said.names, label)


def _load(image: str, model: Model, test_set: Callable[[], Part]) -> Picture:
    if not image.isdecimal() or Path(image).exists():
        return Picture(image, read_picture(Path(image), model), None)
    pixels, labels = test_set()
    index = int(image)
    if index >= len(labels):
        raise InvalidValueError(
            f"there is no test image {index}: give an index from 0 to {len(labels) - 1}"
        )
    return Picture(f"test image {index}", pixels[index], int(labels[index]))
