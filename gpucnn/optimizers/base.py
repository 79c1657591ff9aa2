"""What all optimizers share."""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gpucnn.backends import Array, Backend
from gpucnn.errors import GpucnnWarning, InvalidValueError
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments
from gpucnn.utils.placeable import Placeable


@dataclass(frozen=True)
class OptimizerState:
    """What an optimizer has gathered so far, on the host: the steps taken and its vectors."""

    iterations: int
    slots: dict[str, Array]


class Optimizer(Placeable, ABC):
    """A rule that updates a flat vector of parameters from a flat vector of gradients.

    A training step is `advance`, then `update`; in between, `step` holds the step's number.

    Attributes:
        learning_rate: a number, or a `Schedule`.
        iterations: the number of steps begun.
        step: the same on the device, int64 (1,).
        slots: the flat vectors that the rule keeps for itself, by name, on the device.
    """

    slot_names: ClassVar[tuple[str, ...]]  # the flat vectors that the rule keeps for itself
    square_names: ClassVar[tuple[str, ...]] = ()  # those of squares, which are not negative

    _has_told_end: bool = False
    learning_rate: float | Schedule
    iterations: int
    step: Array
    slots: dict[str, Array]

    def place(
        self, backend: Backend, parameters: Array, state: OptimizerState | None = None
    ) -> None:
        """Live on `backend`, for vectors like `parameters`; begin anew, or go on from `state`.

        Raises:
            InvalidValueError: a vector of `state` is not of the shape of `parameters`, or has
                elements that the rule cannot give it.
        """
        self._begin_placing()
        self._has_told_end = False
        self._backend = backend
        self._rate = backend.empty((1,), parameters.dtype)
        self.step = backend.zeros((1,), np.int64)
        self.iterations = 0
        self.slots = {
            name: backend.zeros(parameters.shape, parameters.dtype) for name in self.slot_names
        }
        if state is not None:
            self.iterations = state.iterations
            for name, slot in self.slots.items():
                _check_slot(name, state.slots[name], slot, name in self.square_names)
                backend.copy(state.slots[name], slot)

    def state(self) -> OptimizerState:
        """A copy on the host of what `place` needs to go on from here."""
        slots = {name: self._backend.to_host(slot) for name, slot in self.slots.items()}
        return OptimizerState(self.iterations, slots)

    def advance(self) -> None:
        """Begin the next step: put its number and its learning rate on the device."""
        rate = self.learning_rate
        self._rate.fill(rate(self.iterations) if isinstance(rate, Schedule) else rate)
        self.iterations += 1
        self.step.fill(self.iterations)

    def tell_end(self, steps: int) -> None:
        """Warn, the first time, if the schedule ends before `steps` further steps are done."""
        schedule = self.learning_rate
        if self._has_told_end or not isinstance(schedule, Schedule):
            return
        if self.iterations + steps > schedule.steps:
            self._has_told_end = True
            last = self.iterations + steps
            warnings.warn(
                f"the learning rate's schedule ends after {schedule.steps:,} steps, and this goes "
                f"on to step {last:,}: past its end the rate stays at {schedule(last):g}",
                GpucnnWarning,
                stacklevel=3,  # where `fit` is called
            )

    @abstractmethod
    def update(self, parameters: Array, gradients: Array) -> None:
        """Move `parameters`, real (p,), against `gradients`, real (p,)."""

    def __post_init__(self) -> None:
        if not isinstance(self.learning_rate, Schedule):
            arguments.positive_number(self.learning_rate, "learning_rate")


def _check_slot(name: str, given: Array, slot: Array, is_square: bool) -> None:
    if given.shape != slot.shape:
        raise InvalidValueError(
            f"the optimizer's {name} has the shape {given.shape}, but the parameters have the "
            f"shape {slot.shape}"
        )
    largest = np.finfo(slot.dtype).max
    smallest = 0 if is_square else -largest
    is_real = given.dtype.kind in "fiu"
    if not is_real or not (smallest <= given.min() and given.max() <= largest):  # nor NaN
        kind = "finite numbers of at least 0" if is_square else "finite numbers"
        raise InvalidValueError(f"the optimizer's {name} does not consist of {kind}")
