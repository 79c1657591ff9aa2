"""Convolutional networks with nothing between you and the arithmetic."""

from importlib import import_module
from typing import TYPE_CHECKING

from gpucnn.version import __version__

if TYPE_CHECKING:
    from gpucnn import models
    from gpucnn.backends import available_devices, get_backend
    from gpucnn.datasets import load_mnist
    from gpucnn.errors import GpucnnError
    from gpucnn.layers import Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, ReLU
    from gpucnn.models import History, Sequential
    from gpucnn.optimizers import SGD, Adam, AdamW, Constant, CosineDecay, OneCycle

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Conv2D",
    "CosineDecay",
    "Dense",
    "Dropout",
    "Flatten",
    "GpucnnError",
    "History",
    "Layer",
    "MaxPool2D",
    "OneCycle",
    "ReLU",
    "Sequential",
    "__version__",
    "available_devices",
    "get_backend",
    "load_mnist",
    "models",
]


ROOMS = ("backends", "datasets", "errors", "layers", "models", "optimizers")
"""Where the names above are found."""


def __getattr__(name: str) -> object:
    """One of the names above, or a submodule, imported at its first use.

    It is put off so that the command `gpucnn` can see to Ctrl-C before NumPy and all else comes.
    """
    if name in __all__:
        for room in ROOMS:
            if name in vars(module := import_module(f"gpucnn.{room}")):
                return vars(module)[name]
    try:
        if not name.startswith("_"):
            return import_module(f"gpucnn.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"gpucnn.{name}":  # but a library that it needs
            raise
    raise AttributeError(f"module 'gpucnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
