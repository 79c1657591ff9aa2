"""Optimizers, and schedules of their learning rates.

To add either, import it here: `OPTIMIZERS`, `SCHEDULES` and the names of `gpucnn` follow from the
imports.
"""

from gpucnn.optimizers.adam import Adam as Adam
from gpucnn.optimizers.adam import AdamW as AdamW
from gpucnn.optimizers.base import Optimizer as Optimizer
from gpucnn.optimizers.base import OptimizerState as OptimizerState
from gpucnn.optimizers.schedules import Constant as Constant
from gpucnn.optimizers.schedules import CosineDecay as CosineDecay
from gpucnn.optimizers.schedules import OneCycle as OneCycle
from gpucnn.optimizers.schedules import Schedule as Schedule
from gpucnn.optimizers.sgd import SGD as SGD
from gpucnn.utils.config import configurable

OPTIMIZERS: tuple[type[Optimizer], ...] = configurable(globals(), Optimizer)
"""The optimizers that a model file may name."""

SCHEDULES: tuple[type[Schedule], ...] = configurable(globals(), Schedule)
"""The schedules that a model file may name."""
