"""Weights whose changes are noticed, whoever makes them."""

from collections.abc import Sequence

import numpy as np

from gpucnn.backends import Array

MOST = 2**26
"""The most bytes of weights of which a copy is kept."""


class Watched:
    """Vectors on the host that are compared with a copy: whoever holds a view can write to them.

    Larger ones, or such as are on a device, are taken to have changed each time.

    Args:
        vectors: contiguous.
        can_compare: whether they are on the host.

    Attributes:
        changes: how often they were noticed to have changed.
    """

    def __init__(self, vectors: Sequence[Array], *, can_compare: bool) -> None:
        self.changes = 0
        self._can_compare = can_compare and sum(each.nbytes for each in vectors) <= MOST
        compared = vectors if self._can_compare else ()
        self._bytes = [(each.view(np.uint8).data, bytearray()) for each in compared]

    def notice(self) -> int:
        """See whether they have changed; returns `changes`."""
        has_changed = not self._can_compare
        for now, before in self._bytes:
            if before != now:
                before[:] = now
                has_changed = True
        self.changes += has_changed
        return self.changes
