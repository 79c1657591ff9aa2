"""The layers that networks are made of."""

from gpucnn.layers.base import Layer, Step
from gpucnn.layers.conv2d import Conv2D
from gpucnn.layers.dense import Dense
from gpucnn.layers.dropout import Dropout
from gpucnn.layers.flatten import Flatten
from gpucnn.layers.fused import FusedConv2D, fuse
from gpucnn.layers.max_pool2d import MaxPool2D
from gpucnn.layers.relu import ReLU

LAYERS: tuple[type[Layer], ...] = (Conv2D, MaxPool2D, ReLU, Flatten, Dense, Dropout)

__all__ = [
    "LAYERS",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "FusedConv2D",
    "Layer",
    "MaxPool2D",
    "ReLU",
    "Step",
    "fuse",
]
