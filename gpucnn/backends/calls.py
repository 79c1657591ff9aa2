"""A forward pass in inference, as calls that are bound to their arrays."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gpucnn.backends.memory import Array


class Calls:
    """The calls of a forward pass for one batch size, and what they have made of the weights."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], object]] = []
        self._followed: list[Followed] = []

    def add(self, function: Callable[..., object], *arguments: Any, **named: Any) -> None:
        """Add a call of `function`."""
        self._calls.append(partial(function, *arguments, **named))

    def follow(self, weights: Array, renew: Callable[[], object]) -> None:
        """Call `renew` now, and in `renew` whenever `weights`, contiguous, have changed."""
        self._followed.append(Followed(weights, renew))

    def renew(self) -> None:
        """Make anew what follows from weights that have changed."""
        for each in self._followed:
            each.renew_if_changed()

    def __call__(self) -> None:
        """Do the calls in their order."""
        for call in self._calls:
            call()


class Followed:
    """Weights from which something follows, and their bytes when it was made.

    The bytes are compared, since whoever holds a view of the weights can write to them.

    Args:
        weights: contiguous.
        renew: makes what follows from them.
    """

    def __init__(self, weights: Array, renew: Callable[[], object]) -> None:
        self._weights, self._renew = weights.view(np.uint8).data, renew
        self._bytes = bytearray()
        self.renew_if_changed()

    def renew_if_changed(self) -> None:
        """Make it anew, unless the weights are the same."""
        if self._bytes != self._weights:
            self._bytes[:] = self._weights
            self._renew()
