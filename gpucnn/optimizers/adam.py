"""Adam, and AdamW."""

from dataclasses import dataclass
from typing import ClassVar

from gpucnn.backends import Array
from gpucnn.optimizers.base import Optimizer
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments


@dataclass(eq=False)
class Adam(Optimizer):
    """Steps of a size that adapts to each parameter; the formulas are at `Backend.adam`.

    Args:
        learning_rate: a number above 0, or a schedule.
        beta_1: how slowly the mean of the gradients is forgotten, in [0, 1).
        beta_2: how slowly the mean of their squares is forgotten, in [0, 1).
        epsilon: what keeps the quotient of the two finite, above 0.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    slot_names: ClassVar[tuple[str, ...]] = ("mean", "square")
    square_names: ClassVar[tuple[str, ...]] = ("square",)

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.share(self.beta_1, "beta_1")
        arguments.share(self.beta_2, "beta_2")
        arguments.positive_number(self.epsilon, "epsilon")

    def update(self, parameters: Array, gradients: Array) -> None:
        """See `Optimizer.update`."""
        self._adam(parameters, gradients, weight_decay=0.0)

    def _adam(self, parameters: Array, gradients: Array, weight_decay: float) -> None:
        self._backend.adam(
            parameters,
            gradients,
            self.slots["mean"],
            self.slots["square"],
            self._rate,
            self.step,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
            weight_decay=weight_decay,
        )


@dataclass(eq=False)
class AdamW(Adam):
    """`Adam` with decoupled weight decay.

    Args:
        learning_rate: as for `Adam`.
        beta_1: as for `Adam`.
        beta_2: as for `Adam`.
        epsilon: as for `Adam`.
        weight_decay: the share of each parameter that is taken off, times the learning rate.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    weight_decay: float = 0.004

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.non_negative_number(self.weight_decay, "weight_decay")

    def update(self, parameters: Array, gradients: Array) -> None:
        """See `Optimizer.update`."""
        self._adam(parameters, gradients, self.weight_decay)
