"""The networks that are timed: presets without dropout, always with the same initial weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import Backend
from gpucnn.datasets import load_mnist
from gpucnn.layers import LAYERS, Dropout
from gpucnn.models import MODELS
from gpucnn.models.sequential import Sequential
from gpucnn.utils.config import from_config, to_config

Labelled = tuple[NDArray[Any], NDArray[Any]]
Data = tuple[Labelled, Labelled]  # to train on, and to test on


def load_data() -> Data:
    """MNIST to train and to test on: images uint8 (n, 28, 28, 1), labels int64 (n,)."""
    train, test = ((x[..., None], y.astype(np.int64)) for x, y in load_mnist())
    return train, test


def make_network(model: str, dtype: str, device: str, threads: int | None) -> Sequential:
    """The preset without its dropout layers, from seed 0.

    Raises:
        InvalidValueError: there is no such device.
        DeviceError: it cannot be used.
    """
    preset = MODELS[model](dtype, "cpu")
    layers = [
        from_config(to_config(layer, LAYERS), LAYERS)
        for layer in preset.layers
        if not isinstance(layer, Dropout)
    ]
    return Sequential(layers, preset.input_shape, dtype, device, preset.seed, threads)


def describe_model(model: str) -> str:
    """The preset's name, and whether something of it was left out."""
    layers = MODELS[model](device="cpu").layers
    without = " without dropout" if any(isinstance(layer, Dropout) for layer in layers) else ""
    return f"{model}{without}"


def normalise(images: NDArray[np.uint8], dtype: "np.dtype[np.floating]") -> NDArray[Any]:
    """Images as networks see them, real, of the same shape."""
    real = np.empty(images.shape, dtype)
    Backend().gather_images(images, np.arange(len(images)), real)
    return real
