"""Stochastic gradient descent with momentum."""

from dataclasses import dataclass
from typing import ClassVar

from gpucnn.backends import Array
from gpucnn.optimizers.base import Optimizer
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments


@dataclass(eq=False)
class SGD(Optimizer):
    """Stochastic gradient descent, optionally with momentum; see `Backend.sgd` for the formulas.

    Args:
        learning_rate: a number of at least 0, or a schedule.
        momentum: the decay rate of the velocity, in [0, 1).
        nesterov: whether to use Nesterov's momentum.
        weight_decay: the fraction of each parameter to subtract, times the learning rate, at least
            0; None for none.

    Further arguments are those of `Optimizer`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float | None = None

    slot_names: ClassVar[tuple[str, ...]] = ("velocity",)

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.share(self.momentum, "momentum")
        arguments.flag(self.nesterov, "nesterov")
        arguments.optional(arguments.non_negative_number, self.weight_decay, "weight_decay")

    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        self._backend.sgd(
            parameters,
            gradients,
            self.slots["velocity"],
            factors,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay or 0.0,
        )
