"""Models: training, evaluation, prediction and files; and presets."""

import os
from typing import TYPE_CHECKING

from gpucnn.models.model import Model
from gpucnn.models.pictures.prediction import Prediction
from gpucnn.models.presets import (
    MNIST_CLASSES,
    MNIST_SHAPE,
    MODELS,
    best,
    fast,
    lenet,
    notebook,
    resnet,
    tiny,
)
from gpucnn.models.sequential import Sequential
from gpucnn.models.training import History
from gpucnn.utils.keras import lacking
from gpucnn.utils.keras.arguments import keras_arguments

__all__ = [
    "MNIST_CLASSES",
    "MNIST_SHAPE",
    "MODELS",
    "History",
    "Model",
    "Prediction",
    "Sequential",
    "best",
    "fast",
    "lenet",
    "load_model",
    "notebook",
    "resnet",
    "tiny",
]


@keras_arguments
def load_model(
    path: str | os.PathLike[str], device: str = "auto", threads: int | None = None
) -> Model:
    """Load a model from a file that `save` wrote: `Model.load` under Keras's name."""
    return Model.load(path, device, threads)


if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
