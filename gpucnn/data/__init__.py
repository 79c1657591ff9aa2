"""Sets of images to train on."""

from gpucnn.data.cache import SCHEMES
from gpucnn.data.dataset import Part, load_mnist

__all__ = ["SCHEMES", "Part", "load_mnist"]
