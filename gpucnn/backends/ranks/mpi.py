"""The communicator of ranks over MPI, for arrays on the host."""

import pickle
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import numpy as np

from gpucnn.backends.communicator import Communicator
from gpucnn.backends.memory import Array
from gpucnn.utils.arithmetic import ceil_div

WHOLE = 2**16
"""The most bytes that every rank gets from each in one exchange, rather than in slices."""

SPINS = 2000
"""How often a rank polls before it leaves the core to others: most waits are shorter."""

PATIENCE = 0.05
"""Seconds of polling after which a rank looks whether the others are alive, and sleeps between."""

PAUSE = 0.0005
"""Seconds of such a sleep."""


class MpiCommunicator(Communicator):
    """A communicator of the processes that `mpiexec` has started.

    Calls do not block in MPI, but poll: so a signal is handled, and the loss of a rank noticed.

    Args:
        comm: a communicator of mpi4py, used by this object alone.
        check: called during long waits; raises an error if another rank has ended.
    """

    def __init__(self, comm: Any, check: Callable[[], None]) -> None:
        self._comm, self._check = comm, check
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self._memory: dict[tuple[str, np.dtype[Any]], Array] = {}
        self._pending: tuple[Any, ...] = ()  # a request, and the memory that it uses

    @property
    def is_amid(self) -> bool:
        """Whether an exchange was begun, and left by an error before it was complete."""
        return bool(self._pending)

    def barrier(self) -> None:
        self._wait(self._comm.Ibarrier())

    def broadcast(self, values: Array) -> None:
        sent = np.ascontiguousarray(values)
        self._wait(self._comm.Ibcast(sent), sent)
        if sent is not values:
            np.copyto(values, sent)

    def all_reduce(self, values: Array, contributors: int) -> None:
        """As for `Communicator`: added up in the order of the ranks, whatever the exchange.

        Small arrays go from each rank to each; of large ones, a rank adds up the slice of all that
        is its own, and then gets the others' sums: so it receives no more than twice the array,
        from however many ranks.
        """
        if contributors == 1:
            self.broadcast(values)
        elif self.size == 2 or values.nbytes * self.size <= WHOLE:
            rows = self._kept("rows", self.size * values.size, values.dtype)
            sent = np.ascontiguousarray(values)
            self._wait(self._comm.Iallgather(sent, rows), sent, rows)
            _add_up(rows.reshape(self.size, *values.shape)[:contributors], values)
        else:
            self._all_reduce_slices(values, contributors)

    def _all_reduce_slices(self, values: Array, contributors: int) -> None:
        each = ceil_div(values.size, self.size)
        whole = self._kept("whole", self.size * each, values.dtype)
        slices = self._kept("slices", self.size * each, values.dtype)
        mine = self._kept("mine", each, values.dtype)
        whole[: values.size] = values.reshape(-1)
        whole[values.size :] = 0
        self._wait(self._comm.Ialltoall(whole, slices), whole, slices)
        _add_up(slices.reshape(self.size, each)[:contributors], mine)
        self._wait(self._comm.Iallgather(mine, whole), mine, whole)
        np.copyto(values, whole[: values.size].reshape(values.shape))

    def gather(self, value: object) -> list[Any]:
        """The values of all ranks, in their order, on each of them; objects that can be pickled."""
        sent = np.frombuffer(pickle.dumps(value), np.uint8)
        count, counts = np.array([sent.size], np.int64), np.empty(self.size, np.int64)
        self._wait(self._comm.Iallgather(count, counts), count, counts)
        received = np.empty(counts.sum(), np.uint8)
        self._wait(self._comm.Iallgatherv(sent, (received, counts.tolist())), sent, received)
        parts = np.split(received, np.cumsum(counts)[:-1])
        return [pickle.loads(part.tobytes()) for part in parts]

    def _kept(self, name: str, size: int, dtype: "np.dtype[Any]") -> Array:
        """Memory that is kept from call to call, and grows."""
        memory = self._memory.get((name, dtype))
        if memory is None or memory.size < size:
            memory = self._memory[name, dtype] = np.empty(size, dtype)
        return memory[:size]

    def _wait(self, request: Any, *memory: Array) -> None:
        """Wait for a request, whose memory is kept if it is left by an error."""
        self._pending = request, *memory
        for _ in range(SPINS):
            if request.Test():
                break
        else:
            self._wait_long(request)
        self._pending = ()

    def _wait_long(self, request: Any) -> None:
        until = monotonic() + PATIENCE
        while not request.Test():
            if monotonic() < until:
                sleep(0)
            else:
                self._check()
                sleep(PAUSE)


def _add_up(rows: Array, out: Array) -> None:
    """Sum rows, at least two, in their order."""
    np.add(rows[0], rows[1], out=out)
    for row in rows[2:]:
        out += row
