"""The communicator of programs that have workers of their own."""

from gpucnn.backends.communicator import Communicator
from gpucnn.backends.memory import Array


class NestedCommunicator(Communicator):
    """All processes of several programs, each of which has as many workers.

    Rank r of all is worker r // programs of program r % programs, the program itself being its
    worker 0: so the shards of a batch, which go round the ranks, are spread over the programs
    first. A sum is added up within each program, and then over the programs.

    Args:
        workers: of this program.
        programs: of all programs, for worker 0; None on the others.
        program: the number of this program.
        count: the number of programs.
    """

    def __init__(
        self, workers: Communicator, programs: Communicator | None, program: int, count: int
    ) -> None:
        self._workers, self._programs = workers, programs
        self._program, self._count = program, count
        self.rank, self.size = program + count * workers.rank, count * workers.size
        self.can_record = workers.can_record and programs is not None and programs.can_record

    def barrier(self) -> None:
        self._workers.barrier()
        if self._programs is not None:
            self._programs.barrier()
        self._workers.barrier()

    def all_reduce(self, values: Array, contributors: int) -> None:
        mine = len(range(self._program, contributors, self._count))
        if mine:
            self._workers.all_reduce(values, min(mine, self._workers.size))
        if self._programs is not None:
            self._programs.all_reduce(values, min(contributors, self._count))
        self._workers.broadcast(values)

    def broadcast(self, values: Array) -> None:
        if self._programs is not None:
            self._programs.broadcast(values)
        self._workers.broadcast(values)


def nested(
    workers: Communicator, programs: Communicator | None, program: int, count: int
) -> Communicator:
    """The communicator of all processes of some programs; of a single one, that of its workers."""
    return workers if count == 1 else NestedCommunicator(workers, programs, program, count)
