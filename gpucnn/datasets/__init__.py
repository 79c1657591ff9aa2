"""Datasets: loading and checking them, and batches of them on a device."""

from typing import TYPE_CHECKING

from gpucnn.datasets import cifar10, cifar100, emnist, fashion_mnist, kmnist, mnist, svhn
from gpucnn.datasets.dataset import full_source, load_dataset, load_mnist
from gpucnn.datasets.parts import Dataset, Part
from gpucnn.datasets.photos import load_images
from gpucnn.utils.keras import lacking

__all__ = [
    "Dataset",
    "Part",
    "cifar10",
    "cifar100",
    "emnist",
    "fashion_mnist",
    "full_source",
    "kmnist",
    "load_dataset",
    "load_images",
    "load_mnist",
    "mnist",
    "svhn",
]

if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
