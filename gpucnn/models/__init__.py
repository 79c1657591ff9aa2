"""Models: training, evaluation, prediction and files; and two presets."""

from gpucnn.models.presets import MNIST_CLASSES, MNIST_SHAPE, MODELS, lenet, notebook
from gpucnn.models.sequential import Sequential
from gpucnn.models.training import History

__all__ = ["MNIST_CLASSES", "MNIST_SHAPE", "MODELS", "History", "Sequential", "lenet", "notebook"]
