"""Sets of images to train on."""

from gpucnn.data.cache import SCHEMES
from gpucnn.data.dataset import load_mnist

__all__ = ["SCHEMES", "load_mnist"]
