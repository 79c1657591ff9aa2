"""Presets with their hyperparameters: everything needed to start, or repeat, a training run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpucnn.applications.recipes import RECIPES
from gpucnn.backends import get_backend
from gpucnn.datasets import Dataset, full_source, load_dataset
from gpucnn.datasets.dataset import is_of_photos
from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.models import MNIST_CLASSES, MNIST_SHAPE, MODELS
from gpucnn.models import best as best
from gpucnn.models import fast as fast
from gpucnn.models import lenet as lenet
from gpucnn.models import notebook as notebook
from gpucnn.models import resnet as resnet
from gpucnn.models import tiny as tiny
from gpucnn.models.model import Model
from gpucnn.models.network import DTYPES
from gpucnn.optimizers import OPTIMIZERS_BY_NAME, SGD, Optimizer
from gpucnn.optimizers.schedules import Constant, CosineDecay, OneCycle, Schedule
from gpucnn.utils import arguments
from gpucnn.utils.arithmetic import ceil_div
from gpucnn.utils.keras import lacking

OPTIMIZER_NAMES = tuple(OPTIMIZERS_BY_NAME)
SCHEDULE_NAMES = ("constant", "cosine", "one-cycle")

LONGEST_SOURCE = 4096  # characters of a path or an address; no system takes longer paths


@dataclass(frozen=True)
class TrainConfig:
    """A preset model and how to train it.

    Args:
        model: the name of a preset, see `gpucnn.models`.
        data: the source of the images, see `load_dataset`; None for the embedded MNIST.
        device: where to train, see `get_backend`.
        threads: worker processes of the CPU, see `Sequential`; None for one per usable core.
        epochs: the number of passes over the training images.
        batch_size: images in a training step.
        optimizer: one of `OPTIMIZER_NAMES`; "sgd" has Nesterov momentum 0.9, all others have their
            defaults.
        learning_rate: the maximum of the schedule.
        schedule: "constant", "cosine" or "one-cycle", over all steps of `schedule_epochs`.
        seed: of the initial parameters, the shuffles and dropout.
        dtype: "float32" or "float64".
        schedule_epochs: the epochs over which the schedule runs; None for all of them.
        image_size: of photographs, pixels of a side; None for one that suits them, see
            `load_images`.

    Raises:
        InvalidTypeError: `data` or `device` is not a string.
        InvalidValueError: an argument is not as described.
    """

    model: str
    data: str | None
    device: str
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    schedule: str
    seed: int
    dtype: str
    threads: int | None = None
    schedule_epochs: int | None = None
    image_size: int | None = None

    def __post_init__(self) -> None:
        arguments.one_of(self.model, "model", tuple(MODELS))
        if self.data is not None:
            _check_source(self.data)
        if not isinstance(self.device, str):
            raise InvalidTypeError(f"device is {printable(repr(self.device))}: give its name")
        arguments.positive_integer(self.epochs, "epochs")
        arguments.positive_integer(self.batch_size, "batch_size")
        arguments.one_of(self.optimizer, "optimizer", OPTIMIZER_NAMES)
        arguments.positive_number(self.learning_rate, "learning_rate")
        arguments.one_of(self.schedule, "schedule", SCHEDULE_NAMES)
        arguments.seed(self.seed)
        arguments.one_of(self.dtype, "dtype", DTYPES)
        if self.threads is not None:
            arguments.positive_integer(self.threads, "threads")
        if self.schedule_epochs is not None:
            arguments.positive_integer(self.schedule_epochs, "schedule_epochs")
        if self.image_size is not None:
            arguments.positive_integer(self.image_size, "image_size")

    def extended(self, epochs: int) -> "TrainConfig":
        """The configuration for more epochs; the schedule ends where it would have.

        It is unchanged if `epochs` is not more than there are.
        """
        if epochs <= self.epochs:
            return self
        return replace(self, epochs=epochs, schedule_epochs=self.schedule_epochs or self.epochs)

    def resolved(self) -> "TrainConfig":
        """The configuration with explicit device and threads, and the full path of a folder.

        Raises:
            InvalidValueError: there is no such device.
        """
        data = None if self.data is None else full_source(self.data)
        backend = get_backend(self.device, self.threads)
        threads = backend.threads if backend.device == "cpu" else self.threads
        return replace(self, data=data, device=backend.device, threads=threads)

    def load_data(self) -> Dataset:
        """The images to train on and to test with.

        Raises:
            InvalidValueError: there is an `image_size`, but they are no photographs.
            GpucnnError: as `load_dataset`.
        """
        if self.image_size is not None and (self.data is None or not is_of_photos(self.data)):
            source = printable(self.data or "the built-in MNIST")
            raise InvalidValueError(
                f"image_size is {self.image_size}, but {source} is no folder of photographs, which "
                "alone are brought to a size: leave it out"
            )
        return load_dataset(self.data, image_size=self.image_size)

    def make_model(
        self,
        images: int,
        input_shape: Sequence[int] = MNIST_SHAPE,
        classes: int = MNIST_CLASSES,
    ) -> Model:
        """The untrained model, compiled with its optimizer.

        Args:
            images: to train on.
            input_shape: of one image, (height, width, channels).
            classes: of the images.

        Raises:
            InvalidValueError: the images are too small for the model, or there is no such device.
        """
        device = get_backend(self.device, self.threads).device  # errors of which are not of sizes
        options = self.dtype, device, self.seed, self.threads
        try:
            model = MODELS[self.model](*options, input_shape=input_shape, classes=classes)
        except InvalidValueError as error:
            reason, _, _ = str(error).rpartition(": ")
            raise InvalidValueError(
                f"{self.model} cannot take images of the shape {tuple(input_shape)} ({reason}): "
                "give larger ones"
            ) from error
        epochs = self.schedule_epochs or self.epochs
        model.compile(self._make_optimizer(epochs * self.steps_of_epoch(images)))
        return model

    def steps_of_epoch(self, images: int) -> int:
        """The number of steps of an epoch over `images` images."""
        return ceil_div(images, self.batch_size)

    def _make_optimizer(self, steps: int) -> Optimizer:
        schedule = self._make_schedule(steps)
        if self.optimizer == "sgd":
            return SGD(schedule, momentum=0.9, nesterov=True)
        made: Optimizer = OPTIMIZERS_BY_NAME[self.optimizer](schedule)
        return made

    def _make_schedule(self, steps: int) -> Schedule:
        if self.schedule == "constant":
            return Constant(self.learning_rate)
        if self.schedule == "cosine":
            return CosineDecay(self.learning_rate, steps)
        return OneCycle(self.learning_rate, steps)


def default_config(model: str = "notebook", **changes: Any) -> TrainConfig:
    """The default configuration of a preset, with `changes` to fields of `TrainConfig`.

    The learning rate, unless given, is one that suits the model and the optimizer.

    Raises:
        InvalidValueError: there is no such preset, or a change is not allowed.
    """
    arguments.one_of(model, "model", tuple(MODELS))
    recipe = RECIPES[model]
    optimizer = arguments.one_of(changes.get("optimizer", "adam"), "optimizer", OPTIMIZER_NAMES)
    defaults = {
        "data": None,
        "device": "auto",
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "optimizer": optimizer,
        "learning_rate": recipe.learning_rates[optimizer],
        "schedule": "one-cycle",
        "seed": 0,
        "dtype": "float32",
        "threads": None,
    }
    return TrainConfig(model, **(defaults | changes))


def _check_source(data: object) -> None:
    if not isinstance(data, str):
        raise InvalidTypeError(
            f"data is {printable(repr(data))}: give a folder or an address, or None"
        )
    try:
        is_name = len(data) <= LONGEST_SOURCE and b"\0" not in os.fsencode(data)
    except UnicodeEncodeError:  # a lone surrogate
        is_name = False
    if not is_name:
        raise InvalidValueError(
            f"data is {printable(repr(data))}: give a folder or an address, of at most "
            f"{LONGEST_SOURCE:,} characters"
        )


if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
