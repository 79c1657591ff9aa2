"""Operations as calls that are bound to their arrays, to be done again and again."""

from collections.abc import Callable
from functools import partial, update_wrapper
from inspect import signature
from math import inf, prod
from operator import is_not
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

Self = TypeVar("Self")
Arguments = ParamSpec("Arguments")


class Calls:
    """The calls of a pass for one batch size, and what they have made of the weights."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], object]] = []
        self._renewals: list[Callable[[], object]] = []

    def add(self, function: Callable[..., object], *arguments: Any, **named: Any) -> None:
        """Add a call of `function`, as `Calls` are, or those of an operation that is `bindable`."""
        bind = getattr(function, "bind", None)
        if bind is None:
            self._calls.append(partial(function, *arguments, **named))
        else:
            bind(function.__self__, self, *arguments, **named)  # type: ignore[attr-defined]

    def copy(self, source: Any, out: Any) -> None:
        """Add a copy of an array to another, of any dtype: assigned, it takes half of `copyto`."""
        self._calls.append(partial(out.__setitem__, ..., source))

    def follow(self, renew: Callable[[], object]) -> None:
        """Call `renew`, which makes something of the weights, now and in `renew`."""
        self._renewals.append(renew)
        renew()

    def renew(self) -> None:
        """Make anew what follows from the weights, which have changed."""
        for each in self._renewals:
            each()

    @property
    def largest_product(self) -> float:
        """The multiply-adds of the largest product that they ask BLAS for."""
        return max(map(_multiply_adds, self._calls), default=0.0)

    def __call__(self) -> None:
        """Do the calls in their order."""
        for call in self._calls:
            call()

    def replay(self) -> None:
        """The same, of calls that were recorded."""
        self()


def _multiply_adds(function: Callable[..., object], *arguments: Any) -> float:
    """Those of the matrix product, if any, of a function of NumPy's; infinity for others."""
    if isinstance(function, partial):
        return _multiply_adds(function.func, *function.args, *arguments)
    if isinstance(function, Calls):
        return function.largest_product
    owner = getattr(function, "__self__", None)
    if getattr(function, "__name__", None) in ("dot", "matmul"):
        a, b = (owner, *arguments)[:2] if isinstance(owner, np.ndarray) else arguments[:2]
        return float(prod(a.shape[-2:]) * prod(b.shape[1:][-1:]))
    is_of_arrays = isinstance(function, np.ufunc) or isinstance(owner, (np.ufunc, np.ndarray))
    return 0.0 if is_of_arrays or getattr(function, "__module__", None) == "numpy" else inf


class StepCalls(Calls):
    """Calls of a training step, which changes the weights each time."""

    def follow(self, renew: Callable[[], object]) -> None:
        """Call `renew` in its turn, each time."""
        self.add(renew)


class LastCalls:
    """Calls with the memory that they work in, kept until they are asked for with other arrays.

    Args:
        bind: adds the calls for some arrays.
    """

    def __init__(self, bind: Callable[..., None]) -> None:
        self._bind, self._calls = bind, StepCalls()
        self._arrays: tuple[Any, ...] = ()

    def __call__(self, *arrays: Any) -> Calls:
        """The calls for some arrays, always as many."""
        if not self._arrays or any(map(is_not, arrays, self._arrays)):
            calls = StepCalls()
            self._bind(calls, *arrays)
            self._arrays, self._calls = arrays, calls  # not if it was interrupted
        return self._calls


def bindable(
    bind: Callable[Concatenate[Self, Calls, Arguments], None],
) -> Callable[Concatenate[Self, Arguments], None]:
    """An operation, a method, made of one that adds its calls.

    It does these at once; `Calls.add` adds them in its place, so that what it takes to find its
    memory and views is done once.
    """

    def operation(self: Self, /, *arguments: Arguments.args, **named: Arguments.kwargs) -> None:
        calls = Calls()
        bind(self, calls, *arguments, **named)
        calls()

    itself, _, *others = (its := signature(bind)).parameters.values()
    update_wrapper(operation, bind)
    operation.__signature__ = its.replace(parameters=[itself, *others])  # type: ignore[attr-defined]
    operation.bind = bind  # type: ignore[attr-defined]
    return operation
