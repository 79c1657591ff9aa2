"""A team: the workers of one lease, with the program as rank 0."""

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
    """What leases workers, and takes them back: a `WorkerPool`."""

    def drop(self, workers: list[Worker]) -> None:
        """End the processes of leased workers, and with them the lease."""

    def take_back(self, team: "Team") -> None:
        """End the lease of a team whose workers are idle."""


class Team:
    """The workers of one lease, and this process as rank 0.

    Args:
        pool: the pool that leases the workers.
        workers: the workers, which become rank 1 and so on.
        largest: the bytes of the largest array that is reduced.

    Attributes:
        communicator: the communicator of this process.
        by_value: the user's modules that are sent to workers by value, since a worker may have
            imported an older state of them, or cannot import them.
        end_lease: ends the workers and with them the lease; also called when the team is
            garbage-collected.

    Raises:
        OSError: shared memory is not available.
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
        self._memory = memory  # kept until the workers have opened it
        # A team that is garbage-collected, after an error or an interrupt, has been abandoned.
        self.end_lease = weakref.finalize(self, pool.drop, workers)
        for rank, worker in enumerate(workers, 1):
            worker.send(join, rank, size, memory)

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have each worker run `function(context, *arguments)`; return at once.

        This process must then take part in the same barriers.

        Raises:
            WorkersLostError: a worker has ended.
        """
        for worker in self._workers:
            worker.send(function, *arguments, by_value=self.by_value)

    def disband(self) -> None:
        """Return the workers to the pool; they forget what they kept."""
        try:
            self.call(leave)
            # Once all workers are here, they have run all that they were sent. Before that, the
            # path of shared memory that a worker has yet to open must not come to name another.
            self.communicator.barrier()
        except WorkersLostError:
            self.abandon()
        except BaseException:
            self.abandon()
            raise
        else:
            self._pool.take_back(self)

    def abandon(self) -> None:
        """End the workers, whatever they are doing: they may wait for this process in vain."""
        self.end_lease()


def _check(workers: list[Worker]) -> None:
    for worker in workers:
        worker.check()
