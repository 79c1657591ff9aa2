"""Networks that branch, shared by tests: of known forms, and at random."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpucnn import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPool2D,
    Model,
    RandomFlip,
    ReLU,
    Tanh,
)
from gpucnn.backends import Array
from gpucnn.layers import Layer, Step, Tensor

SHAPE = (6, 5, 2)
CLASSES = 3


def residual(**options: Any) -> Model:
    """Two blocks as of a ResNet, of which the second halves the image."""
    images = Input(SHAPE)
    x = Conv2D(3, 3, padding="same", use_bias=False)(images)
    x = ReLU()(BatchNormalization(momentum=0.8)(x))
    for filters, strides in ((3, 1), (4, 2)):
        taken = x
        x = Conv2D(filters, 3, strides, "same", use_bias=False)(x)
        x = ReLU()(BatchNormalization(momentum=0.8)(x))
        x = Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = BatchNormalization(momentum=0.5)(x)
        if strides > 1:
            taken = BatchNormalization()(Conv2D(filters, 1, strides, use_bias=False)(taken))
        x = ReLU()(Add()([x, taken]))
    outputs = Dense(CLASSES, activation="softmax")(GlobalAveragePooling2D()(x))
    return Model(images, outputs, **options)


def dense_block(**options: Any) -> Model:
    """As of a DenseNet: each layer takes the outputs of all before it."""
    images = Input(SHAPE)
    taken = [Conv2D(2, 3, padding="same")(images)]
    for _ in range(3):
        x = Concatenate()(taken) if len(taken) > 1 else taken[0]
        x = Conv2D(2, 3, padding="same")(ReLU()(BatchNormalization()(x)))
        taken.append(Dropout(0.25)(x))
    x = MaxPool2D(2)(Concatenate()(taken))
    return Model(images, Dense(CLASSES)(Flatten()(x)), **options)


def tangled(*, varies: bool = True, **options: Any) -> Model:
    """Images that are taken twice, one output that is taken four times, and views of one array.

    Args:
        varies: whether the images are flipped at random.
        options: of the model.
    """
    images = Input(SHAPE)
    x = RandomFlip()(images) if varies else images
    x = Add()([Conv2D(2, 3, padding="same")(x), x])
    x = Add()([Conv2D(2, 1)(x), Conv2D(2, 1)(x), x])  # all of which have one gradient
    a, b = Flatten()(x), Flatten()(Dropout(0.5)(x))
    both = Add()([a, b, a, Flatten()(images)])
    fused = MaxPool2D(2)(ReLU()(Conv2D(3, 3)(x)))
    outputs = Concatenate()([Dense(4)(both), Flatten()(fused), Dense(4, activation="relu")(a)])
    return Model(images, Dense(CLASSES)(Dense(5, activation="relu")(outputs)), **options)


MODELS: dict[str, Callable[..., Model]] = {
    "residual": residual,
    "dense": dense_block,
    "tangled": tangled,
}


def images(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Images of noise, in [0, 1)."""
    return np.random.default_rng(seed).random((count, *SHAPE))


def labels(count: int) -> NDArray[np.int64]:
    """Labels, independent of the images."""
    return np.arange(count) * 7 % CLASSES


def by_layers(model: Model, x: Array, step: Step | None = None) -> list[Array]:
    """The output of each layer, of which each is asked for what `model.graph` tells.

    Args:
        model: on the CPU.
        x: real (n, *SHAPE).
        step: as for `Layer.forward`.
    """
    outputs: list[Array] = []
    for layer, inputs in zip(model.layers, model.graph.inputs, strict=True):
        given: Any = [x if each == -1 else outputs[each] for each in inputs]
        given = given if layer.is_merging else given[0]
        for part in layer.unrolled():
            part.reserve(len(x), training=True)
            given = part.forward(given, step)
        outputs.append(given)
    return outputs


# At random

SMOOTH: dict[str, Callable[[], Layer]] = {
    "conv": lambda: Conv2D(2, 3, padding="same"),
    "pointwise": lambda: Conv2D(1, 1, activation="tanh"),
    "depthwise": lambda: DepthwiseConv2D(2, padding="same", activation="sigmoid"),
    "norm": BatchNormalization,
    "tanh": Tanh,
    "dropout": lambda: Dropout(0.5),
}
"""Layers without kinks, that keep the height and the width of images."""


@st.composite
def models(draw: st.DrawFn, /, **options: Any) -> Model:
    """A model of layers without kinks, joined at random, every output of which is used."""
    given = Input(SHAPE)
    tensors: list[Tensor] = [given]
    taken: set[Tensor] = set()

    def pick(among: Sequence[Tensor]) -> Tensor:
        found = among[draw(st.integers(0, len(among) - 1))]
        taken.add(found)
        return found

    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from([*SMOOTH, "add", "concatenate", "add"]))
        first = pick(tensors)
        if kind in SMOOTH:
            tensors.append(SMOOTH[kind]()(first))
            continue
        alike = [each for each in tensors if each.shape == first.shape]
        others = [pick(alike if kind == "add" else tensors) for _ in range(draw(st.integers(1, 2)))]
        layer = Add() if kind == "add" else Concatenate(draw(st.sampled_from([-1, 3])))
        tensors.append(layer([first, *others]))
    ends = [each for each in tensors if each not in taken]
    pooled = [
        Flatten()(each) if draw(st.booleans()) else GlobalAveragePooling2D()(each) for each in ends
    ]
    joined = Concatenate()(pooled) if len(pooled) > 1 else pooled[0]
    return Model(given, Dense(CLASSES)(joined), **options)
