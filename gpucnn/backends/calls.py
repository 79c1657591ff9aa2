"""A forward pass in inference, as calls that are bound to their arrays."""

from collections.abc import Callable
from functools import partial
from typing import Any


class Calls:
    """The calls of a forward pass for one batch size, and what they have made of the weights."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], object]] = []
        self._renewals: list[Callable[[], object]] = []

    def add(self, function: Callable[..., object], *arguments: Any, **named: Any) -> None:
        """Add a call of `function`."""
        self._calls.append(partial(function, *arguments, **named))

    def follow(self, renew: Callable[[], object]) -> None:
        """Call `renew`, which makes something of the weights, now and in `renew`."""
        self._renewals.append(renew)
        renew()

    def renew(self) -> None:
        """Make anew what follows from the weights, which have changed."""
        for each in self._renewals:
            each()

    def __call__(self) -> None:
        """Do the calls in their order."""
        for call in self._calls:
            call()
