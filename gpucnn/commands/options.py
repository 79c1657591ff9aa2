"""Arguments and options that several commands share, and the test images that they select."""

from pathlib import Path
from typing import Annotated

import typer

from gpucnn.commands.runs import CHECKPOINT, HISTORY, read_config
from gpucnn.datasets import Part, load_mnist
from gpucnn.errors import InvalidFileError
from gpucnn.models.pixels import BUILT_IN
from gpucnn.models.sequential import Sequential

Checkpoint = Annotated[Path, typer.Argument(help="A file saved by gpucnn")]
Data = Annotated[
    str | None,
    typer.Option(help="A folder of IDX files, or the address of one (default: built-in MNIST)"),
]
TestData = Annotated[
    str | None,
    typer.Option(
        help="A folder of IDX files, or the address of one (default: what the model was trained "
        "on, where that is known, else built-in MNIST)"
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "--threads",
        help="On the CPU, worker processes among which a batch is split, this one included "
        "(default: one per usable core)",
    ),
]
Device = Annotated[str, typer.Option(help="Where to compute, see gpucnn devices")]


def load_test_set(checkpoint: Path, model: Sequential, data: str | None) -> tuple[str, Part]:
    """Load the test images for a model.

    Args:
        checkpoint: the model's file. If it does not name its data, the history of its run, beside
            it, may.
        model: the model in the file.
        data: the value of `TestData`.

    Returns:
        The source of the data (`BUILT_IN`, a folder or an address), and (images, labels).

    Raises:
        InvalidFileError: the data, or the history of the run, cannot be used.
    """
    if data is not None:
        return data, load_mnist(data)[1]
    source = _data_of_training(checkpoint, model)
    try:
        return source, load_mnist(None if source == BUILT_IN else source)[1]
    except InvalidFileError as error:
        raise InvalidFileError(
            f"{error}; the model was trained on it, --data takes other"
        ) from error


def _data_of_training(checkpoint: Path, model: Sequential) -> str:
    if model.pixels is not None and model.pixels.data is not None:
        return model.pixels.data
    folder = checkpoint.parent
    if checkpoint.name == CHECKPOINT and (folder / HISTORY).is_file():
        return read_config(folder).data or BUILT_IN
    return BUILT_IN
