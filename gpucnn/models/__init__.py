"""Networks that are trained, measured, saved and used; and two to start from."""

from gpucnn.models.presets import MNIST_CLASSES, MNIST_SHAPE, MODELS, lenet, notebook
from gpucnn.models.sequential import Sequential
from gpucnn.models.training import History

__all__ = ["MNIST_CLASSES", "MNIST_SHAPE", "MODELS", "History", "Sequential", "lenet", "notebook"]
