"""The workers of one lease, and the program, which is rank 0 among them."""

import weakref
from collections.abc import Callable, Collection
from functools import partial
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from gpucnn.backends.workers.communicator import SharedMemoryCommunicator, reduction_bytes
from gpucnn.backends.workers.in_worker import join, leave
from gpucnn.backends.workers.shared_arrays import SharedArrays
from gpucnn.backends.workers.worker import Worker, WorkersLostError


class Lessor(Protocol):
    """Who leases workers, and takes them back."""

    def drop(self, workers: list[Worker]) -> None:
        """End the workers of a lease."""

    def take_back(self, team: "Team") -> None:
        """End the lease of a team whose workers have nothing to do any more."""


class Team:
    """The workers of one lease, and this process, which is rank 0 among them.

    Args:
        pool: which leases them.
        workers: rank 1 and so on.
        largest: bytes of the largest array that is reduced.

    Attributes:
        communicator: of this process.
        by_value: modules of the user's, which may have changed since a worker imported them, or
            that it cannot import.
        end_lease: ends the workers, and with them the lease; called when nobody has the team.

    Raises:
        OSError: there is no memory to share.
        WorkersLostError: a worker has ended.
    """

    def __init__(self, pool: Lessor, workers: list[Worker], largest: int) -> None:
        self._pool, self._workers = pool, workers
        self.by_value: Collection[ModuleType] = ()
        size = len(workers) + 1
        memory = SharedArrays({"rows": ((reduction_bytes(size, largest),), np.uint8)})
        links = [worker.link for worker in workers]
        check = partial(_check, workers)
        self.communicator = SharedMemoryCommunicator(0, size, links, memory["rows"], check)
        self._memory = memory  # kept, so that workers find it
        # A team that nobody has any more, after an error or an interrupt, has been abandoned.
        self.end_lease = weakref.finalize(self, pool.drop, workers)
        for rank, worker in enumerate(workers, 1):
            worker.send(join, rank, size, memory)

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have each worker run `function(context, *arguments)`; returns at once.

        What this process does meanwhile has to meet the same barriers.

        Raises:
            WorkersLostError: a worker has ended.
        """
        for worker in self._workers:
            worker.send(function, *arguments, by_value=self.by_value)

    def disband(self) -> None:
        """Give the workers back; they forget what they kept."""
        try:
            self.call(leave)
            # They have done all that they were sent, and need nothing of it any more: what a path
            # names that they have yet to open, may soon be something else.
            self.communicator.barrier()
        except WorkersLostError:
            self.abandon()
        except BaseException:
            self.abandon()
            raise
        else:
            self._pool.take_back(self)

    def abandon(self) -> None:
        """End the workers, whatever they are doing: they wait for this process in vain."""
        self.end_lease()


def _check(workers: list[Worker]) -> None:
    for worker in workers:
        worker.check()
