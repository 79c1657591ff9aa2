"""Training runs in a folder: a checkpoint and a history each epoch, to be resumed after a stop."""

import json
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from hashlib import sha256
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout
from numpy.typing import NDArray

from gpucnn.applications import Recipe
from gpucnn.backends.workers.pool import pool
from gpucnn.datasets import load_mnist
from gpucnn.datasets.device_dataset import check_images, check_labels
from gpucnn.errors import (
    GpucnnWarning,
    InvalidFileError,
    InvalidValueError,
    TrainingError,
    printable,
)
from gpucnn.models.pixels import BUILT_IN, Pixels
from gpucnn.models.sequential import Sequential
from gpucnn.models.training import EpochRecord, History
from gpucnn.utils.files import create_bytes, remove_leftovers, write_bytes
from gpucnn.utils.machine import blas, processor
from gpucnn.version import __version__

CHECKPOINT = "checkpoint.safetensors"
HISTORY = "history.json"
LOCK = ".lock"
RECORDED = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "images_per_second")

DECIDING = {"gpucnn": "gpucnn", "numpy": "NumPy", "blas": "BLAS", "processor": "the processor"}
"""What of a run's "versions" decides the last digits of its results, and what it is called."""

Labelled = tuple[NDArray[Any], NDArray[Any]]


class Run:
    """A recipe being followed in a folder.

    The folder holds `checkpoint.safetensors`, the model with the state of its training, and
    `history.json`: {"epochs": [...], "recipe": ..., "seed": ..., "device": ..., "versions": ...,
    "data_sha256": ...}. Both are written before the first epoch and after each. The history is
    written first: whenever a run is killed, its history has all epochs of its checkpoint, and a
    resumed run drops what is beyond.

    As long as a run is open nobody else can open it: it holds a lock on `.lock` in its folder,
    which the system releases when the process ends, whatever ends it. Close it, or use it as a
    context.

    A resumed run ends in the same bytes as one that was never stopped, because the initial
    parameters, the shuffles and dropout depend on the seed and the numbers of epoch and step alone;
    as long as it is computed by the same kind of processor, BLAS and NumPy.

    Attributes:
        folder: where the files are.
        recipe: what is followed.
        model: the model in training.
        train_data: (images, labels).
        test_data: (images, labels).
        history: the epochs done.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        model: Sequential,
        data: tuple[Labelled, Labelled],
        lock: BaseFileLock,
    ) -> None:
        self.folder, self.recipe, self.model = folder, recipe, model
        self.train_data, self.test_data = data
        self.history = History()
        self._lock = lock
        self._pixels = model.pixels = Pixels.of(self.train_data[0], recipe.data or BUILT_IN)

    @classmethod
    def start(cls, folder: Path | None, recipe: Recipe) -> "Run":
        """Begin a run in `folder`, which may be there already, or in a new folder in runs/.

        Raises:
            InvalidValueError: the folder holds a run, the recipe names a device that is not there,
                or the images or labels do not fit the model.
            InvalidFileError: the folder is a file, or the data cannot be used.
            OSError: the folder cannot be written to.
        """
        if folder is not None:
            _refuse_used(folder)
        recipe = recipe.resolved()
        _start_workers(recipe)
        data = load_mnist(recipe.data)
        model = recipe.make_model(len(data[0][0]))
        for images, labels in data:
            check_images(images, model.input_shape, model.dtype)
            check_labels(labels, len(images), model.classes)
        folder = _make_folder(folder, recipe.model)
        with _unlocking_after_errors(_lock(folder)) as lock:
            run = cls(folder, recipe, model, data, lock)
            _remove_leftovers(folder)
            try:
                create_bytes(folder / HISTORY, run._describe())
            except FileExistsError:
                raise _used(folder) from None
            run.model.save(run.checkpoint)
            return run

    @classmethod
    def resume(cls, folder: Path, epochs: int | None = None) -> "Run":
        """Go on with the run in `folder` from its last checkpoint.

        Args:
            folder: of the run.
            epochs: how many it shall have in all, if that is more than it was begun with. Its
                schedule stays as it is: past its end the learning rate remains at its last value.

        Warns:
            GpucnnWarning: it goes on with another processor, BLAS, NumPy or gpucnn.

        Raises:
            InvalidFileError: there is no run in the folder, a file of it is damaged, or the data
                cannot be used or are not those that the run began with.
            InvalidValueError: the device of the run is not there, or the run is in progress.
        """
        read_recipe(folder)  # before a lock is made where there is no run
        with _unlocking_after_errors(_lock(folder)) as lock:
            content, recipe = _read_history(folder)
            _remove_leftovers(folder)
            extended = recipe.extended(epochs or recipe.epochs)
            _start_workers(recipe)
            data = load_mnist(recipe.data)
            run = cls(folder, extended, extended.make_model(len(data[0][0])), data, lock)
            if content.get("data_sha256") != run._data_sha256:
                raise InvalidFileError(
                    f"{printable(recipe.data or 'MNIST')} does not have the images that the run in "
                    f"{folder} began with: bring those back, or begin another run"
                )
            if content["epochs"] or run.checkpoint.exists():
                run._load(content["epochs"])
            else:  # it was killed before it wrote its first checkpoint
                run.model.save(run.checkpoint)
            if run.epochs_left:
                run._warn_of_other_bytes(content.get("versions"))
            if extended != recipe:
                write_bytes(folder / HISTORY, run._describe())
            return run

    def close(self) -> None:
        """Let others open the run."""
        self._lock.release()

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
        try:
            self.model.fit(
                *self.train_data,
                batch_size=self.recipe.batch_size,
                epochs=self.epochs_left,
                validation_data=self.test_data,
                verbose=verbose,
                on_epoch_end=self._epoch_done,
            )
        except TrainingError as error:
            raise TrainingError(f"{error}; {self._after_divergence()}") from error

    def _load(self, epochs: list[EpochRecord]) -> None:
        settings = self.model.settings()
        self.model = Sequential.load(self.checkpoint, self.recipe.device, self.recipe.threads)
        trained = self.model.epochs_trained
        self.history.epochs = epochs[:trained]
        steps = trained * self.recipe.steps_of_epoch(len(self.train_data[0]))
        if (
            self.model.settings() != settings
            or len(self.history.epochs) < trained
            or self.model.optimizer.iterations != steps
        ):
            raise InvalidFileError(
                f"{self.checkpoint} is not of the run that the {HISTORY} beside it tells of: "
                "bring that one back, or begin another run"
            )

    def _warn_of_other_bytes(self, before: Any) -> None:
        """Warn if it goes on with something else than `before`, the versions in its history."""
        now, before = self._versions(), before if isinstance(before, dict) else {}
        changed = [
            f"{called} was {printable(before.get(name, 'not recorded'), 100)} and is {now[name]}"
            for name, called in DECIDING.items()
            if before.get(name) != now[name]
        ]
        if changed:
            warnings.warn(
                "the result may differ in its last digits from that of a run that was never "
                f"stopped: {', '.join(changed)}",
                GpucnnWarning,
                stacklevel=3,  # where `resume` is called
            )

    def _after_divergence(self) -> str:
        if not self.model.epochs_trained:
            return f"begin another run than {self.folder}, since --resume would end here again"
        return (
            f"{self.checkpoint} is good, the model after epoch {self.model.epochs_trained}, but "
            "--resume would end here again: begin another run"
        )

    def _epoch_done(self, record: EpochRecord) -> None:
        self.model.pixels = self._pixels  # of which fit does not know the data set
        self.history.epochs.append(record)
        write_bytes(self.folder / HISTORY, self._describe())
        self.model.save(self.checkpoint)

    def _describe(self) -> bytes:
        content = {
            "epochs": self.history.epochs,
            "recipe": asdict(self.recipe),
            "seed": self.recipe.seed,
            "device": self.model.backend.device,
            "versions": self._versions(),
            "data_sha256": self._data_sha256,
        }
        return (json.dumps(content, indent=2) + "\n").encode()

    def _versions(self) -> dict[str, str]:
        backend = self.model.backend
        return {
            "gpucnn": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "blas": blas(),
            "processor": processor() if backend.device == "cpu" else backend.description,
        }

    @cached_property
    def _data_sha256(self) -> str:
        digest = sha256()
        for array in (*self.train_data, *self.test_data):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def read_recipe(folder: Path) -> Recipe:
    """The recipe of the run in `folder`.

    Raises:
        InvalidFileError: there is no run in the folder, or its history is damaged.
    """
    return _read_history(folder)[1]


def _start_workers(recipe: Recipe) -> None:
    """Begin to start them, to be ready when the data is.

    Args:
        recipe: resolved.
    """
    if recipe.device == "cpu" and recipe.threads is not None and recipe.threads > 1:
        pool().request(recipe.threads - 1)


def _read_history(folder: Path) -> tuple[dict[str, Any], Recipe]:
    path = folder / HISTORY
    if not path.is_file():
        raise InvalidFileError(f"there is no run in {folder}: {HISTORY} is not there")
    try:
        content = json.loads(path.read_bytes())
        recipe = Recipe(**content["recipe"])
        _check_epochs(content["epochs"])
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise InvalidFileError(
            f"{path} is not the history of a run ({printable(error)}): "
            "begin the run anew in another folder"
        ) from error
    return content, recipe


def _check_epochs(epochs: Any) -> None:
    if not isinstance(epochs, list) or not all(map(_is_record, epochs)):
        raise ValueError("its epochs are not complete")
    numbers = [epoch["epoch"] for epoch in epochs]
    if numbers != list(range(1, len(epochs) + 1)):
        raise ValueError(f"its epochs are numbered {printable(numbers, 100)}")


def _is_record(epoch: Any) -> bool:
    return (
        all(_is_number(epoch[name]) for name in RECORDED)
        and type(epoch["epoch"]) is int
        and all(0 <= epoch[name] <= 1 for name in ("accuracy", "val_accuracy"))
    )


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and isfinite(value)  # true is an int in Python
    except OverflowError:  # beyond any float
        return False


def _lock(folder: Path) -> BaseFileLock:
    """The lock of a run's folder, held.

    Raises:
        InvalidValueError: another process, or another `Run` of this one, holds it.
    """
    lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise InvalidValueError(
            f"the run in {folder} is in progress: wait for its end, stop it, or give another folder"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise InvalidValueError(
            f"{folder} cannot be locked ({getattr(error, 'strerror', None) or error}): give a "
            "folder on another file system"
        ) from error
    return lock


@contextmanager
def _unlocking_after_errors(lock: BaseFileLock) -> Iterator[BaseFileLock]:
    try:
        yield lock
    except BaseException:
        lock.release()
        raise


def _remove_leftovers(folder: Path) -> None:
    for name in (HISTORY, CHECKPOINT):
        remove_leftovers(folder, name)


def _make_folder(folder: Path | None, model: str) -> Path:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    runs = Path("runs")
    runs.mkdir(exist_ok=True)
    number = 1
    while True:
        new = runs / f"{model}-{number}"
        try:
            new.mkdir()  # of two runs that begin at once, one fails here
            return new
        except FileExistsError:
            number += 1


def _refuse_used(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InvalidFileError(f"{folder} is a file: give a folder for the run")
    if (folder / HISTORY).exists():
        _lock(folder).release()  # that of a run in progress cannot be had
        raise _used(folder)
    if (folder / CHECKPOINT).exists():
        raise InvalidValueError(
            f"{folder} holds a {CHECKPOINT} without the {HISTORY} of its run: move it away, or "
            "give another folder"
        )


def _used(folder: Path) -> InvalidValueError:
    return InvalidValueError(
        f"{folder} already holds a run: resume it with --resume, remove it, or give another folder"
    )
