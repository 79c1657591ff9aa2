"""A small model, and images and labels for it, shared by tests."""

from itertools import accumulate
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucnn import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Lion,
    MaxPool2D,
    Model,
    Muon,
    ReLU,
    RMSprop,
    Sequential,
)
from gpucnn.layers import Layer
from gpucnn.optimizers import Optimizer

SHAPE = (6, 6, 1)
CLASSES = 3


def layers() -> list[Layer]:
    """Layers of each kind, for images of `SHAPE`."""
    return [Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), Dropout(0.25), Dense(CLASSES)]


def model(optimizer: Optimizer | None = None, **options: Any) -> Sequential:
    """A model of `layers`, with options of `Sequential`, and an optimizer if one is given."""
    made = Sequential(layers(), SHAPE, **options)
    if optimizer is not None:
        made.compile(optimizer)
    return made


def images(count: int, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> NDArray[np.uint8]:
    """Images of noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def labels(count: int, classes: int = CLASSES) -> NDArray[np.int64]:
    """Labels, evenly distributed over the classes and independent of the images."""
    return np.arange(count) * 7 % classes


def optimizers() -> list[Optimizer]:
    """An optimizer of each class, with all its features, at rates that train `model`.

    What every class has, such as clipping, one or the other of them has.
    """
    return [
        SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01, clipnorm=0.5),
        Adam(0.01, weight_decay=0.01, use_ema=True),
        AdamW(0.01, global_clipnorm=1.0),
        RMSprop(0.005, momentum=0.5, centered=True, clipvalue=0.1),
        Adagrad(0.05),
        Lion(0.005, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
        Muon(0.005, ns_steps=1),
    ]


class Laid(NamedTuple):
    """A parameter as an optimizer sees it, see `Variable`."""

    name: str
    shape: tuple[int, ...]
    start: int


def layout(**shapes: tuple[int, ...]) -> list[Laid]:
    """Parameters by name, one after the other."""
    ends = accumulate(map(prod, shapes.values()))
    named = zip(shapes.items(), ends, strict=True)
    return [Laid(name, shape, end - prod(shape)) for (name, shape), end in named]


def weight_bytes(trained: Model) -> bytes:
    """The bytes of all parameters."""
    return b"".join(each.tobytes() for each in trained.get_weights())
