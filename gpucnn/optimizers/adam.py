"""Adam and AdamW."""

from dataclasses import dataclass, field
from typing import ClassVar

from gpucnn.backends import Array
from gpucnn.optimizers.base import Optimizer
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments


def bias_correction(iteration: int, beta_1: float, beta_2: float) -> float:
    """The factor of the step after `iteration` steps that corrects the bias of both means to 0."""
    t = iteration + 1
    return float((1 - beta_2**t) ** 0.5 / (1 - beta_1**t))


@dataclass(eq=False)
class Adam(Optimizer):
    """Adam: step sizes adapted to each parameter; see `Backend.adam` for the formulas.

    Args:
        learning_rate: a number of at least 0, or a schedule.
        beta_1: the decay rate of the running mean of the gradients, in [0, 1).
        beta_2: the decay rate of the running mean of their squares, in [0, 1).
        epsilon: added to the denominator, above 0.
        weight_decay: the fraction of each parameter to subtract, times the learning rate, at least
            0; None for none.

    Further arguments are those of `Optimizer`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float | None = field(default=None, kw_only=True)  # Keras's 5th is amsgrad

    slot_names: ClassVar[tuple[str, ...]] = ("mean", "square")
    square_names: ClassVar[tuple[str, ...]] = ("square",)

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.share(self.beta_1, "beta_1")
        arguments.share(self.beta_2, "beta_2")
        arguments.positive_number(self.epsilon, "epsilon")
        arguments.optional(arguments.non_negative_number, self.weight_decay, "weight_decay")

    def factors(self, iteration: int) -> tuple[float, ...]:
        """The learning rate, and the correction of the bias of both means towards 0."""
        correction = bias_correction(iteration, self.beta_1, self.beta_2)
        return (*super().factors(iteration), correction)

    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        self._backend.adam(
            parameters,
            gradients,
            self.slots["mean"],
            self.slots["square"],
            factors[:1],
            factors[1:],
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay or 0.0,
        )


@dataclass(eq=False)
class AdamW(Adam):
    """`Adam` with decoupled weight decay.

    Args:
        learning_rate: as for `Adam`.
        weight_decay: as for `Adam`, but not None.
        beta_1: as for `Adam`.
        beta_2: as for `Adam`.
        epsilon: as for `Adam`.

    Further arguments are those of `Optimizer`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    weight_decay: float = field(default=0.004, kw_only=False)  # Keras's 2nd, before the following
    beta_1: float = field(default=0.9, kw_only=True)
    beta_2: float = field(default=0.999, kw_only=True)
    epsilon: float = field(default=1e-7, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.non_negative_number(self.weight_decay, "weight_decay")
