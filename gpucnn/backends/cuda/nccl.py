"""The communicator of ranks over NCCL, for arrays on GPUs, one GPU a rank."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from gpucnn.backends.communicator import Communicator
from gpucnn.backends.memory import Array


class NcclCommunicator(Communicator):
    """Sums arrays on GPUs by NCCL, through CuPy; MPI tells all ranks NCCL's id.

    The order of a sum is NCCL's: the same each time for one number of ranks on the same machines,
    but not that of `MpiCommunicator`.

    Args:
        make: makes CuPy's communicator, of a number of ranks and a rank.
        active: a context in which the GPU and its stream are current.
        host: the communicator of the host's arrays.
    """

    can_record = True

    def __init__(
        self,
        make: Callable[[int, int], Any],
        active: Callable[[], AbstractContextManager[None]],
        host: Communicator,
    ) -> None:
        self.rank, self.size = host.rank, host.size
        self._active, self._host = active, host
        with active():
            self._group = make(self.size, self.rank)

    def barrier(self) -> None:
        self._host.barrier()

    def all_reduce(self, values: Array, contributors: int) -> None:
        if contributors == 1:
            self.broadcast(values)
            return
        with self._active():
            if self.rank >= contributors:
                values.fill(0)
            self._group.all_reduce(values, values)

    def broadcast(self, values: Array) -> None:
        with self._active():
            self._group.broadcast(values)
