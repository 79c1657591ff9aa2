"""Layers that vary images, placed without a network, and what they make of images."""

from typing import Any

import numpy as np

import loops
from gpucnn import get_backend
from gpucnn.backends import Array
from gpucnn.layers import Layer, Step
from layers.placed import AnyLayer

SHAPE = (5, 7, 2)
X = np.random.default_rng(0).standard_normal((9, *SHAPE))
SEED, INDEX = 5, 2


def first_of_a_model(layer: AnyLayer, device: str = "cpu", **others: int) -> AnyLayer:
    layer.seed, layer.index = others.get("seed", SEED), others.get("index", INDEX)
    layer.needs_input_gradient = False
    layer.build(SHAPE)
    layer.place(get_backend(device), np.dtype(np.float64), {}, {}, np.empty(0))
    layer.reserve(len(X), training=True)
    return layer


def varied(
    layer: Layer, step: int = 1, rows: slice = slice(None), images: Array = X, **others: Any
) -> Array:
    """What a training step makes of a microbatch, the rows `rows` of a batch of images."""
    placed = first_of_a_model(layer, **others)
    made = placed.forward(
        placed.backend.asarray(images[rows]), Step(number(placed, step), rows.start or 0)
    )
    return placed.backend.to_host(made)


def number(layer: Layer, step: int) -> Array:
    return layer.backend.asarray(np.array([step]))


def drawn(image: int, k: int, low: int, high: int, step: int) -> int:
    """The number that is drawn for an image."""
    word = loops.random_word(4 * image + k, SEED, INDEX, step)
    return loops.drawn_integer(word, low, high)
