"""Arguments and options that several commands share, and the test images that they select."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from gpucnn.applications import OPTIMIZER_NAMES, SCHEDULE_NAMES, TrainConfig
from gpucnn.applications.recipes import RECIPES
from gpucnn.backends import get_backend
from gpucnn.backends.cpu.memory import most_threads
from gpucnn.commands.runs import CHECKPOINT, HISTORY, read_config
from gpucnn.datasets import Part, load_dataset
from gpucnn.datasets.photos import TESTED
from gpucnn.errors import InvalidFileError, InvalidValueError, printable
from gpucnn.models import MODELS
from gpucnn.models.network import DTYPES
from gpucnn.models.pictures.pictured import Pictured
from gpucnn.models.pixels import BUILT_IN

WORKERS = "--workers/--threads"
"""The option for worker processes, by both of its names, in messages."""


def _check_workers(workers: int | None) -> int | None:
    most = most_threads()
    if workers is not None and not 1 <= workers <= most:
        raise InvalidValueError(
            f"{WORKERS} is {workers}: it must be a whole number from 1 to {most} here, each a "
            "process with memory of its own"
        )
    return workers


DATA_FORMS = (
    "A folder of photographs in a folder for each class, or of IDX, CSV, CIFAR's or SVHN's files, "
    "an .npz or .tar.gz file, an address, or a known set such as cifar10"
)
Checkpoint = Annotated[Path, typer.Argument(help="A file saved by gpucnn, or a .keras file")]
Data = Annotated[
    str | None,
    typer.Option(help=f"{DATA_FORMS} (default: built-in MNIST)"),
]
TestData = Annotated[
    str | None,
    typer.Option(
        help=f"{DATA_FORMS} (default: what the model was trained on, where that is known, else "
        "built-in MNIST)"
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        help="Of photographs, pixels of a side (default: their median, at most 64, in its shape)"
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "--threads",
        callback=_check_workers,
        help="On the CPU, worker processes among which a batch is split, this one included "
        "(default: one per usable core)",
    ),
]
Device = Annotated[str, typer.Option(help="Where to compute, see gpucnn devices")]


def _for_each(what: str) -> str:
    return ", ".join(f"{getattr(recipe, what)} for {name}" for name, recipe in RECIPES.items())


# Of a recipe, see `TrainConfig`
Model = Annotated[
    str | None, typer.Option(help=f"What to train: {', '.join(MODELS)} (default: notebook)")
]
Epochs = Annotated[
    int | None,
    typer.Option(help=f"Times to go through the images (default: {_for_each('epochs')})"),
]
BatchSize = Annotated[
    int | None,
    typer.Option(help=f"Images in a training step (default: {_for_each('batch_size')})"),
]
Optimizer = Annotated[
    str | None, typer.Option(help=f"{', '.join(OPTIMIZER_NAMES)} (default: adam)")
]
LearningRate = Annotated[
    float | None, typer.Option(help="The schedule's highest (default: by model and optimizer)")
]
LearningRateSchedule = Annotated[
    str | None, typer.Option(help=f"{', '.join(SCHEDULE_NAMES)} (default: one-cycle)")
]
Dtype = Annotated[str | None, typer.Option(help=f"{', '.join(DTYPES)} (default: float32)")]


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def check_unchanged(
    kind: str, folder: Path, begun_with: TrainConfig, asked_for: TrainConfig, names: Iterable[str]
) -> None:
    """Check that what is resumed is asked for as it was begun.

    Args:
        kind: "run" or "sweep".
        folder: of it.
        begun_with: its recipe.
        asked_for: the recipe with the options that were given.
        names: of the fields to compare.

    Raises:
        InvalidValueError: one of them is another.
    """
    for name in names:
        old, new = getattr(begun_with, name), getattr(asked_for, name)
        if new != old:
            what = WORKERS if name == "threads" else name
            raise InvalidValueError(
                f"the {kind} in {folder} was begun with {what} {printable(old)}, not "
                f"{printable(new)}: leave the option out, or begin another {kind}"
            )


def check_other_file(output: Path, source: Path) -> None:
    """Check that what is made of a file is not written over it.

    Raises:
        InvalidValueError: it would be.
    """
    if output.exists() and source.exists() and output.samefile(source):
        raise InvalidValueError(f"{output} is the file to read, too: give another to write")


def check_workers(workers: int | None, devices: Sequence[str]) -> None:
    """Check that the value of `Threads`, if it is given, has a use: only the CPU has workers.

    Raises:
        InvalidValueError: none of the devices is, or stands for, the CPU.
        DeviceError: a device cannot be used.
    """
    if workers is None:
        return
    names = [get_backend(device).device for device in devices]
    if "cpu" not in names:
        raise InvalidValueError(
            f"{WORKERS} is {workers}, but only the CPU has workers, and this runs on "
            f"{' and '.join(names)}: leave the option out, or give --device cpu"
        )


def load_test_set(checkpoint: Path, model: Pictured, data: str | None) -> tuple[str, Part]:
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
    source = _data_of_training(checkpoint, model)
    if data is not None:
        # One of the same name may be that of the training, moved: most of it was trained on.
        is_other = source != BUILT_IN and Path(data).resolve().name != Path(source).name
        return data, _load_for(model, data, 1 if is_other else TESTED)
    try:
        return source, _load_for(model, None if source == BUILT_IN else source, TESTED)
    except InvalidFileError as error:
        raise InvalidFileError(
            f"{error}; the model was trained on it, --data takes other"
        ) from error


def _load_for(model: Pictured, source: str | None, share: float) -> Part:
    """The test images of a data set, with labels that are the model's.

    Photographs are read in its size and colours, a share of them where none are set apart.
    """
    of_photos: dict[str, Any] = {"validation_split": share}
    if len(model.input_shape) == 3:
        *size, channels = model.input_shape
        of_photos |= {"image_size": size, "color_mode": "grayscale" if channels == 1 else "rgb"}
    dataset = load_dataset(source, **of_photos)
    images, labels = dataset.test
    names, known = dataset.class_names, model.class_names
    if names is None or known is None or names == known:
        return images, labels
    if not set(names) <= set(known):
        other = printable(next(each for each in names if each not in known))
        raise InvalidValueError(
            f"{source} has images of {other}, but the model knows {printable(', '.join(known))}: "
            "give images of these"
        )
    return images, np.array([known.index(each) for each in names])[labels]


def _data_of_training(checkpoint: Path, model: Pictured) -> str:
    if model.pixels is not None and model.pixels.data is not None:
        return model.pixels.data
    folder = checkpoint.parent
    if checkpoint.name == CHECKPOINT and (folder / HISTORY).is_file():
        return read_config(folder).data or BUILT_IN
    return BUILT_IN
