"""Adagrad."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gpucnn.backends import Array, Backend
from gpucnn.optimizers.base import Optimizer, OptimizerState
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments


@dataclass(eq=False)
class Adagrad(Optimizer):
    """Steps divided by the root of the sum of each gradient's squares; see `Backend.adagrad`.

    Args:
        learning_rate: a number above 0, or a schedule.
        initial_accumulator_value: what the sums start with, at least 0.
        epsilon: added under the root, above 0.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    slot_names: ClassVar[tuple[str, ...]] = ("square",)
    square_names: ClassVar[tuple[str, ...]] = ("square",)

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.non_negative_number(self.initial_accumulator_value, "initial_accumulator_value")
        arguments.positive_number(self.epsilon, "epsilon")

    def place(
        self, backend: Backend, parameters: Array, state: OptimizerState | None = None
    ) -> None:
        super().place(backend, parameters, state)
        if state is None:
            first = np.full(parameters.shape, self.initial_accumulator_value)
            backend.copy(first, self.slots["square"])

    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        self._backend.adagrad(
            parameters, gradients, self.slots["square"], factors, epsilon=self.epsilon
        )
