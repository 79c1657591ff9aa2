"""Datasets: loading and checking them, and batches of them on a device."""

from gpucnn.datasets import mnist
from gpucnn.datasets.cache import SCHEMES
from gpucnn.datasets.dataset import Part, load_mnist

__all__ = ["SCHEMES", "Part", "load_mnist", "mnist"]
