"""A training run in a folder, from its start, or from its last checkpoint, to its end."""

from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType

from gpucnn.applications import TrainConfig
from gpucnn.backends.ranks.world import world
from gpucnn.backends.workers.pool import pool
from gpucnn.callbacks import Callback
from gpucnn.commands.runs.folder import (
    CHECKPOINT,
    CURVES,
    HISTORY,
    already_used,
    check_unused,
    locked,
    make_folder,
    remove_unfinished_files,
)
from gpucnn.commands.runs.history import HistoryFile, read_history
from gpucnn.commands.runs.provenance import data_sha256, versions, warn_of_changes
from gpucnn.datasets import Dataset
from gpucnn.datasets.device_dataset import check_images
from gpucnn.errors import InvalidFileError, InvalidValueError, TrainingError, printable
from gpucnn.losses.labels import check_labels
from gpucnn.models.model import Model
from gpucnn.models.pixels import BUILT_IN, Pixels
from gpucnn.models.training import EpochRecord, History
from gpucnn.models.training.agreement import check_images_for
from gpucnn.utils.plots import write_figure
from gpucnn.utils.storage.files import create_bytes, write_bytes


class Run:
    """A training run in a folder.

    The folder holds `checkpoint.safetensors`, the model with the state of its training, and
    `history.json`: {"epochs": [...], "recipe": ..., "seed": ..., "device": ..., "versions": ...,
    "data_sha256": ...}. Both are written before the first epoch and after each, the history first:
    so whenever a run is killed, its history has all epochs of its checkpoint, and a resumed run
    drops those beyond.

    An open run holds a lock on `.lock` in its folder, so that nobody else can open it; the system
    releases the lock when the process ends, however it ends. Close the run, or use it as a context
    manager.

    A resumed run ends in the same bytes as one that was never stopped, as long as the processor,
    BLAS and NumPy are the same: initial parameters, shuffles and dropout depend only on the seed
    and on the numbers of epoch and step.

    Attributes:
        folder: where the files are.
        config: how the model is trained.
        model: the model in training.
        train_data: (images, labels).
        test_data: (images, labels).
        history: the epochs done.
        callbacks: told of the course of the training.
        draws: whether to write `curves.png`, a picture of the history, after each epoch.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        model: Model,
        data: Dataset,
    ) -> None:
        self.folder, self.config, self.model = folder, config, model
        self.train_data, self.test_data = data.train, data.test
        self.history = History()
        self.callbacks: list[Callback] = []
        self.draws = False
        self._lock = ExitStack()  # empty until the run is open
        self._class_names = model.class_names = data.class_names
        pixels = Pixels.of(self.train_data[0], config.data or BUILT_IN)
        self._pixels = model.pixels = replace(pixels, photographs=data.are_photographs)

    @classmethod
    def start(cls, folder: Path | None, config: TrainConfig) -> "Run":
        """Begin a run.

        Args:
            folder: where; it is created if need be. None for a new folder in runs/.
            config: how to train.

        Raises:
            InvalidValueError: the folder holds a run, the configured device does not exist, or the
                images or labels do not fit the model.
            InvalidFileError: the folder is a file, or the data cannot be used.
            OSError: the folder cannot be written to.
        """
        if folder is not None:
            check_unused(folder)
        config = config.resolved()
        start_workers(config)
        data = config.load_data()
        _check_data(data, config)
        model = _make_model(config, data)
        for images, labels in (data.train, data.test):
            check_images(images, model.input_shape, model.dtype)
            check_labels(labels, len(images), model.classes)
        check_images_for(world(), len(data.train[0]), config.batch_size)
        folder = make_folder(folder, config.model)
        with ExitStack() as stack:  # unlocks the folder after an error
            stack.enter_context(locked(folder))
            remove_unfinished_files(folder)
            run = cls(folder, config, model, data)
            try:
                create_bytes(folder / HISTORY, run._encode_history())
            except FileExistsError:
                raise already_used(folder) from None
            run.model.save(run.checkpoint)
            run._lock = stack.pop_all()
            return run

    @classmethod
    def resume(cls, folder: Path, epochs: int | None = None) -> "Run":
        """Resume the run in `folder` from its last checkpoint.

        Args:
            folder: of the run.
            epochs: in all, if more than configured. The schedule stays as it is: past its end
                the learning rate keeps its last value.

        Warns:
            GpucnnWarning: the processor, BLAS, NumPy or gpucnn is not the one it was begun with.

        Raises:
            InvalidFileError: there is no run in the folder, one of its files is damaged, or the
                data cannot be used or is not what the run began with.
            InvalidValueError: the run's device does not exist, or the run is in progress.
        """
        read_history(folder)  # so that no lock file is created where there is no run
        with ExitStack() as stack:  # unlocks the folder after an error
            stack.enter_context(locked(folder))
            before = read_history(folder)
            remove_unfinished_files(folder)
            config = before.config.extended(epochs or before.config.epochs)
            start_workers(config)
            data = config.load_data()
            run = cls(folder, config, _make_model(config, data), data)
            if before.data_sha256 != run._data_sha256:
                raise InvalidFileError(
                    f"{printable(config.data or 'MNIST')} does not have the images that the run in "
                    f"{folder} began with: bring those back, or begin another run"
                )
            if before.epochs or run.checkpoint.exists():
                run._load_checkpoint(before.epochs)
            else:  # it was killed before it wrote its first checkpoint
                run.model.save(run.checkpoint)
            if run.epochs_left:
                warn_of_changes(before.versions, versions(run.model.backend))
            if config != before.config:
                write_bytes(folder / HISTORY, run._encode_history())
            run._lock = stack.pop_all()
            return run

    def close(self) -> None:
        """Release the folder, so that others can open the run."""
        self._lock.close()

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
        """The path of the saved model."""
        return self.folder / CHECKPOINT

    @property
    def epochs_left(self) -> int:
        """The number of configured epochs that are still to be done."""
        return max(self.config.epochs - self.model.epochs_trained, 0)

    def train(self, verbose: int = 1) -> None:
        """Train for the epochs that are left; `verbose` as in `Model.fit`.

        Raises:
            TrainingError: the loss is no longer a finite number.
            OSError: a file cannot be written.
        """
        if self.epochs_left == 0:
            return
        try:
            self.model.fit(
                *self.train_data,
                batch_size=self.config.batch_size,
                epochs=self.config.epochs,
                initial_epoch=self.model.epochs_trained,
                validation_data=self.test_data,
                verbose=verbose,
                callbacks=self.callbacks,
                on_epoch_end=self._epoch_done,
            )
        except TrainingError as error:
            raise TrainingError(f"{error}; {self._advice_after_divergence()}") from error

    def _load_checkpoint(self, epochs: list[EpochRecord]) -> None:
        """Load the model; check that it belongs to this run and to the `epochs` of its history."""
        settings = self.model.settings()
        self.model = Model.load(self.checkpoint, self.config.device, self.config.threads)
        self.model.class_names = self._class_names
        trained = self.model.epochs_trained
        self.history.epochs = epochs[:trained]
        steps = trained * self.config.steps_of_epoch(len(self.train_data[0]))
        if (
            self.model.settings() != settings
            or len(self.history.epochs) < trained
            or self.model.optimizer.iterations != steps
        ):
            raise InvalidFileError(
                f"{self.checkpoint} is not of the run that the {HISTORY} beside it tells of: "
                "bring that one back, or begin another run"
            )

    def _epoch_done(self, record: EpochRecord) -> None:
        self.model.pixels = self._pixels  # fit does not know the name of the data
        self.history.epochs.append(record)
        write_bytes(self.folder / HISTORY, self._encode_history())
        self.model.save(self.checkpoint)
        if self.draws:
            write_figure(self.folder / CURVES, self.history.plot())

    def _encode_history(self) -> bytes:
        backend = self.model.backend
        return HistoryFile(
            self.history.epochs,
            self.config,
            backend.device,
            versions(backend),
            self._data_sha256,
        ).encode()

    @cached_property
    def _data_sha256(self) -> str:
        return data_sha256((*self.train_data, *self.test_data))

    def _advice_after_divergence(self) -> str:
        if not self.model.epochs_trained:
            return f"begin another run than {self.folder}, since --resume would end here again"
        return (
            f"{self.checkpoint} is good, the model after epoch {self.model.epochs_trained}, but "
            "--resume would end here again: begin another run"
        )


def _make_model(config: TrainConfig, data: Dataset) -> Model:
    return config.make_model(len(data.train[0]), data.image_shape, data.classes)


def _check_data(data: Dataset, config: TrainConfig) -> None:
    """Check that there are classes, but not one for each stray label, and images to test with."""
    source, images = printable(config.data or "MNIST"), len(data.train[0])
    if data.classes > max(images, 2):
        raise InvalidValueError(
            f"{source} has labels up to {data.classes - 1}, but {images} images to train on: give "
            "labels that number the classes from 0"
        )
    if data.classes < 2:
        raise InvalidValueError(
            f"{source} has images of a single class: give images of at least two"
        )
    if not len(data.test[0]):
        raise InvalidValueError(
            f"{source} has no images to test with: give two of a class at least, or a folder of "
            "images to test with that can be read"
        )


def start_workers(config: TrainConfig) -> None:
    """Begin to start the workers of a resolved `config`, so that they are ready with the data."""
    if config.device == "cpu" and config.threads is not None and config.threads > 1:
        pool().request(config.threads - 1)
