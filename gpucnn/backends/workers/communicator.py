"""The communicator of a program and its workers, through shared memory."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from gpucnn.backends.communicator import Communicator
from gpucnn.backends.memory import CACHE_LINE, Array
from gpucnn.utils.arithmetic import ceil_div


class Semaphore(Protocol):
    """A semaphore that two processes share."""

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Decrement the count, waiting up to `timeout` seconds; return whether it was above 0."""

    def release(self) -> None:
        """Increment the count."""


class Link(NamedTuple):
    """The semaphores of rank 0 and another rank: for its arrival at a barrier, and its release."""

    arrived: Semaphore
    released: Semaphore


SPINS = 2000
"""How often a rank polls a semaphore before it sleeps on it: for some 500 us.

Waking up takes longer than most waits last."""

PATIENCE = 0.1
"""Seconds of sleep after which a rank checks that the others are alive."""


class SharedMemoryCommunicator(Communicator):
    """A communicator of ranks on one machine, through shared memory and semaphores.

    Args:
        rank: the rank of this process.
        size: the number of ranks.
        links: on rank 0, its links with all others in order; on another rank, its link with rank 0.
        memory: uint8, `reduction_bytes` long, shared by all ranks.
        check: called during long waits; raises an error if another rank has ended.
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
        # Two sets of rows, used in turn: a rank that has left a barrier may write its next values
        # while another still reads the last ones, but it cannot pass the next barrier before that.
        self._rows = memory.reshape(2, size, -1)
        self._turn = 0

    def barrier(self) -> None:
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
        rows = self._next_rows(values)
        if self.rank == 0:
            np.copyto(rows[0], values)
        self.barrier()
        np.copyto(values, rows[0])

    def _next_rows(self, values: Array) -> Array:
        """The next set of rows, one per rank, each of the shape and dtype of `values`."""
        rows, self._turn = self._rows[self._turn], 1 - self._turn
        flat: Array = rows[:, : values.nbytes].view(values.dtype)
        return flat.reshape(self.size, *values.shape)

    def _await(self, semaphore: Semaphore) -> None:
        for _ in range(SPINS):
            if semaphore.acquire(False):
                return
        while not semaphore.acquire(timeout=PATIENCE):
            self._check()


def reduction_bytes(size: int, largest: int) -> int:
    """The bytes of memory that `size` ranks share to reduce arrays of up to `largest` bytes."""
    # Each row has cache lines of its own, so that no two ranks write to the same line.
    return 2 * size * ceil_div(largest, CACHE_LINE) * CACHE_LINE
