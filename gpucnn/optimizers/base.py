"""The base class of optimizers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass, fields
from math import prod
from typing import Any, ClassVar, Protocol

import numpy as np

from gpucnn.backends import Array, Backend, Shape
from gpucnn.errors import InvalidValueError
from gpucnn.optimizers.schedules import Schedule
from gpucnn.utils import arguments
from gpucnn.utils.objects.extensible import Extensible
from gpucnn.utils.objects.placeable import Placeable
from gpucnn.utils.warn import warn

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
AVERAGE = "average"
"""The slot of the moving average of the parameters."""


class Variable(Protocol):
    """A parameter of a model, as an optimizer sees it: where it lies in the flat vectors."""

    @property
    def name(self) -> str:
        """Its name, such as "conv2d.kernel"."""

    @property
    def shape(self) -> Shape:
        """Its shape."""

    @property
    def start(self) -> int:
        """Its first element in the vectors."""


@dataclass(frozen=True)
class OptimizerState:
    """The state of an optimizer, on the host.

    Attributes:
        iterations: the number of steps taken.
        slots: its flat vectors by name, real (p,).
    """

    iterations: int
    slots: dict[str, Array]


@dataclass(eq=False)
class Optimizer(Extensible, Placeable, ABC):
    """A rule that updates a flat vector of parameters by a flat vector of gradients.

    Gradients may be clipped before the rule, and the parameters averaged after it, whose average
    takes their place at the end of `fit`. That the average is kept holds from when the optimizer is
    compiled.

    Args:
        learning_rate: a number of at least 0, or a schedule.
        clipnorm: the greatest norm of the gradient of each parameter, such as a kernel: a gradient
            of a greater one is scaled down to it. Above 0, as are the following; None, as for
            those, for no limit. One of the three may be given.
        clipvalue: the greatest absolute value of an element of a gradient.
        global_clipnorm: the greatest norm of all gradients together.
        use_ema: whether to keep an exponential moving average of the parameters.
        ema_momentum: the share of the average that a step keeps, in [0, 1); its first value is that
            of the parameters after the first step.
        ema_overwrite_frequency: the number of steps, at least 1, after which each time the average
            overwrites the parameters; None for the end of `fit` alone.

    Attributes:
        iterations: the number of steps begun.
        slots: the flat vectors of the rule's state by name, real (p,), on the device.

    Raises:
        InvalidValueError: an argument is not as described.
    """

    learning_rate: float | Schedule
    _: KW_ONLY
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None

    square_names: ClassVar[tuple[str, ...]] = ()  # slots of squares, which are not negative

    iterations = 0
    _has_told_end = False

    def __post_init__(self) -> None:
        if not isinstance(self.learning_rate, Schedule):
            arguments.non_negative_number(self.learning_rate, "learning_rate")
        for name in CLIPPING:
            arguments.optional(arguments.positive_number, getattr(self, name), name)
        given = [name for name in CLIPPING if getattr(self, name) is not None]
        if len(given) > 1:
            raise InvalidValueError(f"{given[0]} and {given[1]} are both given: give one of them")
        arguments.flag(self.use_ema, "use_ema")
        arguments.share(self.ema_momentum, "ema_momentum")
        frequency = self.ema_overwrite_frequency
        arguments.optional(arguments.positive_integer, frequency, "ema_overwrite_frequency")

    @classmethod
    def _checked_names(cls) -> frozenset[str]:
        arguments = frozenset() if cls.is_own else frozenset(each.name for each in fields(cls))
        return super()._checked_names() | arguments

    def _check_attribute(self, name: str, value: Any) -> None:
        super()._check_attribute(name, value)
        if name in vars(self):  # which the constructor has set, and checked with the others
            changed = copy(self)
            vars(changed)[name] = value
            changed.__post_init__()

    # State

    @property
    @abstractmethod
    def slot_names(self) -> tuple[str, ...]:
        """The names of the rule's slots, which may depend on the constructor's arguments."""

    @property
    def all_slot_names(self) -> tuple[str, ...]:
        """The names of all slots, that of the average included."""
        return (*self.slot_names, AVERAGE) if self.use_ema else self.slot_names

    def place(
        self,
        backend: Backend,
        parameters: Array,
        layout: Sequence[Variable],
        state: OptimizerState | None = None,
    ) -> None:
        """Allocate the state on `backend`.

        Args:
            backend: where the optimizer runs.
            parameters: real (p,), the vector to be updated.
            layout: what the vector consists of, in order.
            state: to continue from; None to start with zeros.

        Raises:
            InvalidValueError: a vector of `state` has another shape than `parameters`, or elements
                that the rule cannot have produced.
        """
        self._begin_placing()
        self._has_told_end = False
        self._backend = backend
        self._sizes = tuple(prod(each.shape) for each in layout)
        self.iterations = 0
        self.slots: dict[str, Array] = {
            name: backend.zeros(parameters.shape, parameters.dtype) for name in self.all_slot_names
        }
        if state is not None:
            self.iterations = state.iterations
            for name, slot in self.slots.items():
                _check_slot(name, state.slots[name], slot, name in self.square_names)
                backend.copy(state.slots[name], slot)

    @property
    def xp(self) -> Any:
        """The module of the arrays, NumPy or CuPy, for array code."""
        return self._backend.xp

    def state(self) -> OptimizerState:
        """A copy of the state on the host, from which `place` continues.

        Raises:
            InvalidValueError: an attribute that decides what is kept was changed after placing.
        """
        self.check_slots()
        slots = {name: self._backend.to_host(slot) for name, slot in self.slots.items()}
        return OptimizerState(self.iterations, slots)

    def check_slots(self) -> None:
        """Check that the state is that of the attributes as they are now.

        Raises:
            InvalidValueError: one was changed, such as `use_ema`, that decides what is kept.
        """
        if tuple(self.slots) != self.all_slot_names:
            raise InvalidValueError(
                f"{type(self).__name__} would keep {', '.join(self.all_slot_names) or 'nothing'} "
                f"now, but was compiled to keep {', '.join(self.slots) or 'nothing'}: compile the "
                "model again after such a change"
            )

    # Factors

    def factors(self, iteration: int) -> tuple[float, ...]:
        """The rule's factors of the step after `iteration` steps: first the learning rate.

        They are computed on the host, and given to `update` on the device.
        """
        rate = self.learning_rate
        return (rate(iteration) if isinstance(rate, Schedule) else rate,)

    def all_factors(self, iteration: int) -> tuple[float, ...]:
        """All factors of the step after `iteration` steps, those of the average included.

        These are the share of the parameters in it, and 1 if it overwrites them, else 0.
        """
        own = self.factors(iteration)
        if AVERAGE not in self.slots:
            return own
        share = 1 - self.ema_momentum if iteration else 1.0
        frequency = self.ema_overwrite_frequency
        overwrites = frequency is not None and (iteration + 1) % frequency == 0
        return (*own, share, float(overwrites))

    def tell_end(self, steps: int) -> None:
        """Warn, once, if the schedule ends before `steps` further steps are done."""
        schedule = self.learning_rate
        if self._has_told_end or not isinstance(schedule, Schedule):
            return
        if self.iterations + steps > schedule.steps:
            self._has_told_end = True
            last = self.iterations + steps
            warn(
                f"the learning rate's schedule ends after {schedule.steps:,} steps, and this goes "
                f"on to step {last:,}: past its end the rate stays at {schedule(last):g}",
            )

    # Steps

    def apply(self, parameters: Array, gradients: Array, factors: Array) -> None:
        """Take a step: clip the gradients, update the parameters, average them.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,), which clipping changes.
            factors: real (k,), those of the step, see `all_factors`.
        """
        self._clip(gradients)
        average = self.slots.get(AVERAGE)
        if average is None:
            self.update(parameters, gradients, factors)
        else:
            self.update(parameters, gradients, factors[:-2])
            self._backend.average_parameters(parameters, average, factors[-2:-1], factors[-1:])

    def finalize(self, parameters: Array) -> None:
        """Overwrite the parameters, real (p,), by their average, if one is kept."""
        if AVERAGE in self.slots:
            self._backend.copy(self.slots[AVERAGE], parameters)

    @abstractmethod
    def update(self, parameters: Array, gradients: Array, factors: Array) -> None:
        """Update the parameters by the rule.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            factors: real (k,), those of the rule, see `factors`.
        """

    def _clip(self, gradients: Array) -> None:
        if self.clipnorm is not None:
            self._backend.clip_norms(
                gradients, self._sizes, limit=self.clipnorm, nan_if_infinite=False
            )
        elif self.global_clipnorm is not None:
            self._backend.clip_norms(
                gradients, (gradients.size,), limit=self.global_clipnorm, nan_if_infinite=True
            )
        elif self.clipvalue is not None:
            self._backend.clip(gradients, limit=self.clipvalue)


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
