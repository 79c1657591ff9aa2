"""Communication between ranks: processes that run the same program on parts of its data."""

from typing import Any

from numpy.typing import NDArray


class Communicator:
    """The communicator of a single rank, and the interface of communicators.

    Every rank makes the same calls in the same order. The terms are MPI's.

    Attributes:
        rank: the rank of this process, in [0, size).
        size: the number of ranks.
        can_record: whether a device can record `all_reduce`, as part of a step.
    """

    rank = 0
    size = 1
    can_record = False

    def barrier(self) -> None:
        """Wait until all ranks have called this."""

    def all_reduce(self, values: NDArray[Any], contributors: int) -> None:
        """Replace `values` with their sum over ranks, added up in the order of the ranks.

        So equal values give the same bytes each time.

        Args:
            values: real, of the same shape and dtype on all ranks.
            contributors: the number of ranks, from rank 0 on, whose values are summed.
        """

    def broadcast(self, values: NDArray[Any]) -> None:
        """Replace `values`, of the same shape and dtype on all ranks, with the values of rank 0."""


class _Alone(Communicator):
    can_record = True  # nothing


ALONE = _Alone()
"""The communicator of a process that is the only rank."""
