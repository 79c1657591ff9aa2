"""Ranks: processes that run the same program on parts of its data, and how they meet."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from gpucnn.backends.memory import CACHE_LINE, Array
from gpucnn.utils.arithmetic import ceil_div


class Communicator:
    """What a rank knows of the others; here there are none.

    Every rank makes the same calls in the same order. The words are MPI's.

    Attributes:
        rank: of this process, in [0, size).
        size: the number of ranks.
    """

    rank = 0
    size = 1

    def barrier(self) -> None:
        """Return when all ranks have come here."""

    def all_reduce(self, values: Array, contributors: int) -> None:
        """Replace `values` by their sum over ranks, added up in the order of the ranks.

        So the same ranks give the same bytes each time.

        Args:
            values: real, of one shape on all ranks.
            contributors: how many ranks, from 0 on, have something to add.
        """

    def broadcast(self, values: Array) -> None:
        """Replace `values`, of one shape and dtype on all ranks, by those of rank 0."""


ALONE = Communicator()


class Semaphore(Protocol):
    """A semaphore that two processes share."""

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take one, if there is one within `timeout` seconds; whether there was."""

    def release(self) -> None:
        """Put one back."""


class Link(NamedTuple):
    """What rank 0 shares with another rank: which has come, and which may go on."""

    arrived: Semaphore
    released: Semaphore


SPINS = 2000
"""How often a rank looks whether another has come before it sleeps: for some 500 us.

To wake up takes longer than most waits last."""

PATIENCE = 0.1
"""Seconds of sleep after which a rank looks whether the others are alive."""


class SharedMemoryCommunicator(Communicator):
    """Ranks on one machine, which share memory and semaphores.

    Args:
        rank: of this process.
        size: the number of ranks.
        links: rank 0's with each of the others in order, or another rank's with rank 0.
        memory: uint8 of `reduction_bytes`, shared.
        check: called in long waits; raises an error if another rank is no more.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        links: Sequence[Link],
        memory: Array,
        check: Callable[[], None],
    ) -> None:
        self.rank, self.size = rank, size
        self._links, self._check = links, check
        # Two sets of rows, used in turns: a rank that has left a barrier may write its next values
        # while another still reads the last, but cannot come as far as those after them.
        self._rows = memory.reshape(2, size, -1)
        self._turn = 0

    def barrier(self) -> None:
        """See `Communicator.barrier`."""
        if self.rank == 0:
            for link in self._links:
                self._await(link.arrived)
            for link in self._links:
                link.released.release()
        else:
            (link,) = self._links
            link.arrived.release()
            self._await(link.released)

    def all_reduce(self, values: Array, contributors: int) -> None:
        """See `Communicator.all_reduce`."""
        rows = self._next_rows(values)
        if self.rank < contributors:
            np.copyto(rows[self.rank], values)
        self.barrier()
        if contributors == 1:
            np.copyto(values, rows[0])
            return
        np.add(rows[0], rows[1], out=values)
        for row in rows[2:contributors]:
            values += row

    def broadcast(self, values: Array) -> None:
        """See `Communicator.broadcast`."""
        rows = self._next_rows(values)
        if self.rank == 0:
            np.copyto(rows[0], values)
        self.barrier()
        np.copyto(values, rows[0])

    def _next_rows(self, values: Array) -> Array:
        """A row of shared memory for each rank, of the shape and dtype of `values`."""
        rows, self._turn = self._rows[self._turn], 1 - self._turn
        mine: Array = rows[:, : values.nbytes].view(values.dtype)
        return mine.reshape(self.size, *values.shape)

    def _await(self, semaphore: Semaphore) -> None:
        for _ in range(SPINS):
            if semaphore.acquire(False):
                return
        while not semaphore.acquire(timeout=PATIENCE):
            self._check()


def reduction_bytes(size: int, largest: int) -> int:
    """The bytes that `size` ranks share to reduce arrays of up to `largest` bytes."""
    # Whole lines of the caches for each row: two ranks write to none at the same time.
    return 2 * size * ceil_div(largest, CACHE_LINE) * CACHE_LINE
