"""Convolutional networks with nothing between you and the arithmetic."""
# ruff: noqa: F403, F405 - what is imported below is what `__all__` lists

from importlib import import_module
from typing import TYPE_CHECKING

from gpucnn.version import __version__

if TYPE_CHECKING:
    from gpucnn.api import *

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


def __getattr__(name: str) -> object:
    """What is not imported yet: all of the names above at the first use of one, or a submodule.

    It is put off so that the command `gpucnn` can see to Ctrl-C before NumPy and all else comes.
    """
    if name in __all__:
        return getattr(import_module("gpucnn.api"), name)
    module = f"gpucnn.{name}"
    try:
        if not name.startswith("_"):
            return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:  # but a library that it needs
            raise
    raise AttributeError(f"module 'gpucnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
