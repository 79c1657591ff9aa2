"""Optimizers, and schedules of their learning rates.

To add either, import it here: `OPTIMIZERS`, `SCHEDULES` and the names of `gpucnn` follow from the
imports.
"""

from typing import TYPE_CHECKING, Any

from gpucnn.errors import InvalidTypeError
from gpucnn.optimizers.adagrad import Adagrad as Adagrad
from gpucnn.optimizers.adam import Adam as Adam
from gpucnn.optimizers.adam import AdamW as AdamW
from gpucnn.optimizers.base import Optimizer as Optimizer
from gpucnn.optimizers.base import OptimizerState as OptimizerState
from gpucnn.optimizers.lion import Lion as Lion
from gpucnn.optimizers.muon import Muon as Muon
from gpucnn.optimizers.rate_finder import LearningRateCurve as LearningRateCurve
from gpucnn.optimizers.rate_finder import find_learning_rate as find_learning_rate
from gpucnn.optimizers.rmsprop import RMSprop as RMSprop
from gpucnn.optimizers.schedules import Constant as Constant
from gpucnn.optimizers.schedules import CosineDecay as CosineDecay
from gpucnn.optimizers.schedules import ExponentialDecay as ExponentialDecay
from gpucnn.optimizers.schedules import OneCycle as OneCycle
from gpucnn.optimizers.schedules import PiecewiseConstantDecay as PiecewiseConstantDecay
from gpucnn.optimizers.schedules import PolynomialDecay as PolynomialDecay
from gpucnn.optimizers.schedules import Schedule as Schedule
from gpucnn.optimizers.sgd import SGD as SGD
from gpucnn.utils.arguments import name_of
from gpucnn.utils.keras import lacking
from gpucnn.utils.objects.config import configurable

OPTIMIZERS: tuple[type[Optimizer], ...] = configurable(globals(), Optimizer)
"""The optimizers that a model file may name."""

OPTIMIZERS_BY_NAME: dict[str, type[Any]] = {each.__name__.lower(): each for each in OPTIMIZERS}
"""The optimizers by their names in lower case."""

SCHEDULES: tuple[type[Schedule], ...] = configurable(globals(), Schedule)
"""The schedules that a model file may name."""


def optimizer_of(optimizer: object) -> Optimizer:
    """The optimizer given to `compile`: an object of one, or its name, see `name_of`.

    Raises:
        InvalidTypeError: it is neither.
        InvalidValueError: there is no optimizer of that name.
    """
    if isinstance(optimizer, str):
        name = name_of(optimizer, "optimizer", tuple(OPTIMIZERS_BY_NAME))
        made: Optimizer = OPTIMIZERS_BY_NAME[name]()
        return made
    if not isinstance(optimizer, Optimizer):
        raise InvalidTypeError(
            f"the optimizer is {optimizer!r}: give an object such as SGD(0.1) or Adam(), or a name "
            'such as "adam"'
        )
    return optimizer


if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
