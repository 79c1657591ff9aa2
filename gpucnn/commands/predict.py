"""`gpucnn predict`: classify digits with a saved model."""

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
from gpucnn.datasets.digits.digits import read_digit
from gpucnn.errors import InvalidValueError
from gpucnn.models.pixels import as_bytes
from gpucnn.models.sequential import Sequential


class Digit(NamedTuple):
    """An image to classify, (height, width), and its label if it is known."""

    title: str
    pixels: NDArray[Any]
    label: int | None


def predict(
    checkpoint: Checkpoint,
    images: Annotated[
        list[str],
        typer.Argument(help="PNG or JPEG files of one digit each, or indices of test images"),
    ],
    data: TestData = None,
    device: Device = "auto",
) -> None:
    """Classify digits with a saved model, and show them with the probability of each class."""
    model = Sequential.load(checkpoint, device)
    size = _image_size(model)
    test_set = cache(lambda: load_test_set(checkpoint, model, data)[1])  # if an index is given
    digits = [_load_digit(image, size, test_set) for image in images]
    console = Console()
    for digit in digits:
        (probabilities,) = model.classify(digit.pixels).probabilities
        show_prediction(console, digit.title, as_bytes(digit.pixels), probabilities, digit.label)


def _image_size(model: Sequential) -> tuple[int, int]:
    if len(model.input_shape) != 3 or model.input_shape[2] != 1:
        raise InvalidValueError(
            f"the model takes inputs of shape {model.input_shape}: digits need (height, width, 1)"
        )
    return model.input_shape[0], model.input_shape[1]


def _load_digit(image: str, size: tuple[int, int], test_set: Callable[[], Part]) -> Digit:
    if not image.isdecimal() or Path(image).exists():
        return Digit(image, read_digit(image, size), None)
    pixels, labels = test_set()
    index = int(image)
    if index >= len(labels):
        raise InvalidValueError(
            f"there is no test image {index}: give an index from 0 to {len(labels) - 1}"
        )
    return Digit(f"test image {index}", pixels[index], int(labels[index]))
