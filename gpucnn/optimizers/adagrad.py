"""Adagrad."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gpucnn.backends import Array, Backend
from gpucnn.optimizers.base import Optimizer, OptimizerState, Variable
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments


@dataclass(eq=False)
class Adagrad(Optimizer):
    """Steps divided by the root of the sum of each gradient's squares; see `Backend.adagrad`.

    Args:
        learning_rate: a number of at least 0, or a schedule.
        initial_accumulator_value: what the sums start with, at least 0.
        epsilon: added under the root, above 0.
        weight_decay: the fraction of each parameter to subtract, times the learning rate, at least
            0; None for none.

    Further arguments are those of `Optimizer`.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7
    weight_decay: float | None = None

    slot_names: ClassVar[tuple[str, ...]] = ("square",)
    square_names: ClassVar[tuple[str, ...]] = ("square",)

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.non_negative_number(self.initial_accumulator_value, "initial_accumulator_value")
        arguments.positive_number(self.epsilon, "epsilon")
        arguments.optional(arguments.non_negative_number, self.weight_decay, "weight_decay")

    def place(
        self,
        backend: Backend,
        parameters: Array,
        layout: Sequence[Variable],
        state: OptimizerState | None = None,
    ) -> None:
        super().place(backend, parameters, layout, state)
        if state is None:
            first = np.full(parameters.shape, self.initial_accumulator_value)
            backend.copy(first, self.slots["square"])

    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        self._backend.adagrad(
            parameters,
            gradients,
            self.slots["square"],
            factors,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay or 0.0,
        )
