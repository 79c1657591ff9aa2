"""Datasets: loading and checking them, and batches of them on a device."""

from typing import TYPE_CHECKING

from gpucnn.datasets import mnist
from gpucnn.datasets.dataset import load_dataset, load_mnist
from gpucnn.datasets.downloads.cache import SCHEMES
from gpucnn.datasets.parts import Dataset, Part
from gpucnn.utils.keras import lacking

__all__ = ["SCHEMES", "Dataset", "Part", "load_dataset", "load_mnist", "mnist"]

if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
