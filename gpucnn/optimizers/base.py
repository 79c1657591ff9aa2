"""The base class of optimizers."""

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
    """The state of an optimizer, on the host.

    Attributes:
        iterations: the number of steps taken.
        slots: its flat vectors by name, real (p,).
    """

    iterations: int
    slots: dict[str, Array]


class Optimizer(Placeable, ABC):
    """A rule that updates a flat vector of parameters by a flat vector of gradients.

    Attributes:
        learning_rate: a number, or a `Schedule`.
        iterations: the number of steps begun.
        slots: the flat vectors of the rule's state by name, real (p,), on the device.
    """

    square_names: ClassVar[tuple[str, ...]] = ()  # slots of squares, which are not negative

    _has_told_end: bool = False
    learning_rate: float | Schedule
    iterations: int
    slots: dict[str, Array]

    @property
    @abstractmethod
    def slot_names(self) -> tuple[str, ...]:
        """The names of the slots, which may depend on the constructor's arguments."""

    def place(
        self, backend: Backend, parameters: Array, state: OptimizerState | None = None
    ) -> None:
        """Allocate the state on `backend`.

        Args:
            backend: where the optimizer runs.
            parameters: real (p,), the vector to be updated.
            state: to continue from; None to start with zeros.

        Raises:
            InvalidValueError: a vector of `state` has another shape than `parameters`, or elements
                that the rule cannot have produced.
        """
        self._begin_placing()
        self._has_told_end = False
        self._backend = backend
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
        """A copy of the state on the host, from which `place` continues."""
        slots = {name: self._backend.to_host(slot) for name, slot in self.slots.items()}
        return OptimizerState(self.iterations, slots)

    def factors(self, iteration: int) -> tuple[float, ...]:
        """The factors of the step after `iteration` steps: first the learning rate.

        They are computed on the host, and given to `update` on the device.
        """
        rate = self.learning_rate
        return (rate(iteration) if isinstance(rate, Schedule) else rate,)

    def tell_end(self, steps: int) -> None:
        """Warn, once, if the schedule ends before `steps` further steps are done."""
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
    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        """Take a step.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            factors: real (k,), those of the step, see `factors`.
        """

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
