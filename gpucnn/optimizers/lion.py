"""Lion."""

from dataclasses import dataclass
from typing import ClassVar

from gpucnn.backends import Array
from gpucnn.optimizers.base import Optimizer
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments


@dataclass(eq=False)
class Lion(Optimizer):
    """Steps of one size for all parameters, in the direction of a sign; see `Backend.lion`.

    Args:
        learning_rate: a number of at least 0, or a schedule.
        beta_1: the share of the running mean in the direction of a step, in [0, 1).
        beta_2: the decay rate of the running mean of the gradients, in [0, 1).
        weight_decay: the fraction of each parameter to subtract, times the learning rate, at least
            0; None for none.

    Further arguments are those of `Optimizer`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99
    weight_decay: float | None = None

    slot_names: ClassVar[tuple[str, ...]] = ("mean",)

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.share(self.beta_1, "beta_1")
        arguments.share(self.beta_2, "beta_2")
        arguments.optional(arguments.non_negative_number, self.weight_decay, "weight_decay")

    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        self._backend.lion(
            parameters,
            gradients,
            self.slots["mean"],
            factors,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            weight_decay=self.weight_decay or 0.0,
        )
