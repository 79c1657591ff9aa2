"""Training runs in a folder: a checkpoint and a history each epoch, to be resumed after a stop."""

import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.data import load_mnist
from gpucnn.errors import InvalidFileError, InvalidValueError
from gpucnn.files import write_bytes
from gpucnn.recipes import Recipe
from gpucnn.sequential import Sequential
from gpucnn.training import EpochRecord, Evaluation, History
from gpucnn.version import __version__

CHECKPOINT = "checkpoint.safetensors"
HISTORY = "history.json"

Labelled = tuple[NDArray[Any], NDArray[Any]]


class Run:
    """A recipe being followed in a folder.

    The folder holds `checkpoint.safetensors`, the model with the state of its training, and
    `history.json`: {"epochs": [...], "recipe": ..., "seed": ..., "device": ..., "versions": ...}.
    Both are written before the first epoch and after each. The history is written first: whenever a
    run is killed, its history has all epochs of its checkpoint, and a resumed run drops what is
    beyond.

    A resumed run ends in the same bytes as one that was never stopped, because the initial
    parameters, the shuffles and dropout depend on the seed and the numbers of epoch and step alone.

    Attributes:
        folder: where the files are.
        recipe: what is followed.
        model: the model in training.
        train_data: (images, labels).
        test_data: (images, labels).
        history: the epochs done.
    """

    def __init__(
        self, folder: Path, recipe: Recipe, model: Sequential, data: tuple[Labelled, Labelled]
    ) -> None:
        self.folder, self.recipe, self.model = folder, recipe, model
        self.train_data, self.test_data = data
        self.history = History()

    @classmethod
    def start(cls, folder: Path, recipe: Recipe) -> "Run":
        """Begin a run in a new folder.

        Raises:
            InvalidValueError: the folder is in use, or the recipe names a device that is not there.
            InvalidFileError: the data cannot be used.
            OSError: the folder cannot be written to.
        """
        if folder.exists() and not folder.is_dir():
            raise InvalidFileError(f"{folder} is a file: give a folder for the run")
        if (folder / HISTORY).exists() or (folder / CHECKPOINT).exists():
            raise InvalidValueError(
                f"{folder} already holds a run: resume it with --resume, or give another folder"
            )
        data = load_mnist(recipe.data)
        run = cls(folder, recipe, recipe.make_model(len(data[0][0])), data)
        folder.mkdir(parents=True, exist_ok=True)
        run._save()
        return run

    @classmethod
    def resume(cls, folder: Path) -> "Run":
        """Go on with the run in `folder` from its last checkpoint.

        Raises:
            InvalidFileError: there is no run in the folder, a file of it is damaged, or the data
                cannot be used.
        """
        epochs, recipe = _read_history(folder / HISTORY)
        data = load_mnist(recipe.data)
        model = Sequential.load(folder / CHECKPOINT, recipe.device)
        if model.architecture() != recipe.make_model(len(data[0][0])).architecture():
            raise InvalidFileError(
                f"{folder / CHECKPOINT} is not a {recipe.model} of {recipe.dtype}, as the history "
                "beside it says: they are not of one run"
            )
        run = cls(folder, recipe, model, data)
        run.history.epochs = epochs[: model.epochs_trained]
        if len(run.history.epochs) < model.epochs_trained:
            raise InvalidFileError(
                f"{folder / HISTORY} has {len(epochs)} epochs, but the checkpoint beside it "
                f"{model.epochs_trained}: they are not of one run"
            )
        return run

    @property
    def checkpoint(self) -> Path:
        """The file of the model."""
        return self.folder / CHECKPOINT

    @property
    def epochs_left(self) -> int:
        """How many epochs of the recipe are still to be done."""
        return max(self.recipe.epochs - self.model.epochs_trained, 0)

    def train(self, verbose: int = 1) -> None:
        """Do the epochs that are left; `verbose` as for `Sequential.fit`.

        Raises:
            TrainingError: the loss is no longer a finite number.
            OSError: a file cannot be written.
        """
        if self.epochs_left == 0:
            return
        self.model.fit(
            *self.train_data,
            batch_size=self.recipe.batch_size,
            epochs=self.epochs_left,
            validation_data=self.test_data,
            verbose=verbose,
            on_epoch_end=self._epoch_done,
        )

    def evaluate(self) -> Evaluation:
        """The loss and accuracy of the model on the test images."""
        return self.model.evaluate(*self.test_data)

    def _epoch_done(self, record: EpochRecord) -> None:
        self.history.epochs.append(record)
        self._save()

    def _save(self) -> None:
        content = {
            "epochs": self.history.epochs,
            "recipe": asdict(self.recipe),
            "seed": self.recipe.seed,
            "device": self.model.backend.device,
            "versions": {
                "gpucnn": __version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        }
        write_bytes(self.folder / HISTORY, (json.dumps(content, indent=2) + "\n").encode())
        self.model.save(self.checkpoint)


def _read_history(path: Path) -> tuple[list[EpochRecord], Recipe]:
    if not path.is_file():
        raise InvalidFileError(f"there is no run in {path.parent}: {path.name} is not there")
    try:
        content = json.loads(path.read_bytes())
        return list(content["epochs"]), Recipe(**content["recipe"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFileError(
            f"{path} is not the history of a run ({error}): begin the run anew in another folder"
        ) from error
