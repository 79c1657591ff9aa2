"""A layer of each kind, with arguments that matter, and models of them."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from gpucnn import (
    ELU,
    GELU,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    LeakyReLU,
    MaxPool2D,
    Normalization,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv2D,
    Sequential,
    Sigmoid,
    SiLU,
    SpatialDropout2D,
    Tanh,
    ZeroPadding2D,
)
from gpucnn.backends.window import Padding, Pair
from gpucnn.layers import Layer
from models.exchange.random_networks import draw_weights

SHAPE = (7, 6, 4)


def built(layers: Sequence[Layer], shape: tuple[int, ...] = SHAPE, **options: Any) -> Sequential:
    """A model of copies of layers with weights, averages among them, that are drawn."""
    model = Sequential(deepcopy(list(layers)), shape, device="cpu", seed=1, threads=1, **options)
    draw_weights(model, 1)
    return model


VECTORS: list[list[Layer]] = [
    [Flatten(), Dense(5, use_bias=False)],
    [GlobalAveragePooling2D()],
    [GlobalMaxPooling2D(), BatchNormalization()],
    [Conv2D(3, 2), Flatten()],
    [Conv2D(3, 2), Flatten(), BatchNormalization(), Flatten()],
    [Conv2D(3, 2), Flatten(), Rescaling(np.linspace(1, 2, 90).tolist(), 0.5)],
    [Conv2D(3, 2), Flatten(), Reshape((3, 10, 3)), Conv2D(2, 2), Flatten()],
    [Conv2D(3, 2), Flatten(), Reshape((-1,)), Dense(4)],
    [Conv2D(3, 2), Reshape((9, -1)), BatchNormalization(), Flatten()],
    [Conv2D(1, 3), Flatten(), Dense(4)],
    [Conv2D(3, (7, 6)), Flatten(), Dense(4)],
]

PADDINGS: tuple[Padding, ...] = "valid", "same"

SLIDES: list[tuple[Pair, Pair]] = [((1, 1), (1, 1)), ((2, 3), (1, 1)), ((1, 1), (2, 1))]

POOLS: list[tuple[Pair, Pair]] = [((2, 2), (2, 2)), ((3, 2), (2, 1)), ((5, 5), (3, 3))]

IMAGES: list[Layer] = [
    *(
        Conv2D(5, (3, 2), strides, padding, dilation)
        for padding in PADDINGS
        for strides, dilation in SLIDES
    ),
    Conv2D(4, 3, groups=2, padding="same", strides=2),
    Conv2D(4, 3, groups=4, use_bias=False),
    Conv2D(4, 5, padding="same", dilation_rate=2),
    DepthwiseConv2D(3, 2, "same", 2),
    DepthwiseConv2D((2, 3), dilation_rate=2, activation="tanh", use_bias=False),
    SeparableConv2D(5, 3, 2, "same", depth_multiplier=2, activation="elu"),
    *(
        kind(size, strides, padding)
        for kind in (MaxPool2D, AveragePooling2D)
        for size, strides in POOLS
        for padding in PADDINGS
    ),
    *(BatchNormalization(center=center, scale=center) for center in (True, False)),
    BatchNormalization(epsilon=0.1),
    *(Conv2D(3, 1, activation=name) for name in ("relu", "leaky_relu", "elu", "gelu", "silu")),
    *(Conv2D(3, 1, activation=name) for name in ("tanh", "sigmoid", LeakyReLU(0.5))),
    *(ReLU(), ReLU(0.2), LeakyReLU(0.4), ELU(0.3), GELU(), SiLU(), Tanh(), Sigmoid()),
    *(Dropout(0.5), SpatialDropout2D(0.5)),
    Reshape((6, 7, 4)),
    ZeroPadding2D(((1, 2), (3, 0))),
    Cropping2D(((1, 2), (0, 3))),
    Rescaling([0.5, 1.0, 2.0, 3.0], 0.25),
    Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 3.0, 0.5]),
]
