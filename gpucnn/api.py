"""The names that `gpucnn` offers, all of them imported."""

from gpucnn import models
from gpucnn.backends import available_devices, get_backend
from gpucnn.data import load_mnist
from gpucnn.errors import GpucnnError
from gpucnn.layers import Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, ReLU
from gpucnn.optimizers import SGD, Adam, AdamW
from gpucnn.schedules import Constant, CosineDecay, OneCycle
from gpucnn.sequential import Sequential
from gpucnn.training import History

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
    "available_devices",
    "get_backend",
    "load_mnist",
    "models",
]
