"""Optimizers: how parameters follow their gradients."""

from gpucnn.optimizers.adam import Adam, AdamW
from gpucnn.optimizers.base import Optimizer, OptimizerState
from gpucnn.optimizers.schedules import SCHEDULES, Constant, CosineDecay, OneCycle, Schedule
from gpucnn.optimizers.sgd import SGD

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "CosineDecay",
    "OneCycle",
    "Optimizer",
    "OptimizerState",
    "Schedule",
]

OPTIMIZERS: tuple[type[Optimizer], ...] = (SGD, Adam, AdamW)
"""Those that a file may name."""
