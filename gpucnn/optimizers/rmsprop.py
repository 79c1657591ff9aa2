"""RMSprop."""

from dataclasses import dataclass
from typing import ClassVar

from gpucnn.backends import Array
from gpucnn.optimizers.base import Optimizer
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments


@dataclass(eq=False)
class RMSprop(Optimizer):
    """Steps divided by the root of the mean square of each gradient; see `Backend.rmsprop`.

    Args:
        learning_rate: a number of at least 0, or a schedule.
        rho: the decay rate of the running means, in [0, 1).
        momentum: the decay rate of the velocity, in [0, 1).
        epsilon: added under the root, above 0.
        centered: whether to divide by the root of the variance. It holds from when the optimizer
            is compiled.
        weight_decay: the fraction of each parameter to subtract, times the learning rate, at least
            0; None for none.

    Further arguments are those of `Optimizer`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    learning_rate: float | Schedule = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False
    weight_decay: float | None = None

    square_names: ClassVar[tuple[str, ...]] = ("square",)

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("square", "velocity", "mean") if self.centered else ("square", "velocity")

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.share(self.rho, "rho")
        arguments.share(self.momentum, "momentum")
        arguments.positive_number(self.epsilon, "epsilon")
        arguments.flag(self.centered, "centered")
        arguments.optional(arguments.non_negative_number, self.weight_decay, "weight_decay")

    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        self._backend.rmsprop(
            parameters,
            gradients,
            self.slots["square"],
            self.slots["velocity"],
            self.slots.get("mean"),
            factors,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay or 0.0,
        )
