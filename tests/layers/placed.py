"""Layers placed without a network, ready to run."""

from typing import TypeVar

import numpy as np

from gpucnn import get_backend
from gpucnn.backends import Shape
from gpucnn.layers import Layer

AnyLayer = TypeVar("AnyLayer", bound=Layer)


def placed(
    layer: AnyLayer, input_shape: Shape, batch: int = 2, dtype: type[np.floating] = np.float64
) -> AnyLayer:
    """`layer`, built for images of `input_shape`, with random parameters and memory for training.

    Gradients start as NaN, so that one that is not written shows.
    """
    generator = np.random.default_rng(1)
    layer.build(input_shape)
    shapes = layer.parameter_shapes().items()
    parameters = {name: generator.standard_normal(shape).astype(dtype) for name, shape in shapes}
    gradients = {name: np.full(shape, np.nan, dtype) for name, shape in shapes}
    state = [np.ravel(values) for values in layer.initial_state().values()]
    flat = np.concatenate([np.empty(0), *state]).astype(dtype)
    layer.place(get_backend("cpu"), np.dtype(dtype), parameters, gradients, flat)
    layer.reserve(batch, training=True)
    return layer
