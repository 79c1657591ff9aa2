"""Sets of images to train on."""

from gpucnn.data.dataset import load_mnist

__all__ = ["load_mnist"]
