from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpucnn.backends import ALONE, Communicator
from gpucnn.backends.ranks.nested import NestedCommunicator
from gpucnn.backends.ranks.on_device import HostCopyCommunicator


class Noting(Communicator):
    """Notes what it is called for."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.calls: list[Any] = []

    def barrier(self) -> None:
        self.calls.append("barrier")

    def all_reduce(self, values: NDArray[Any], contributors: int) -> None:
        self.calls.append(contributors)

    def broadcast(self, values: NDArray[Any]) -> None:
        self.calls.append("broadcast")


def test_ranks_go_round_the_programs() -> None:
    places = [
        NestedCommunicator(Noting(worker, 2), None, program, 3)
        for worker in range(2)
        for program in range(3)
    ]
    assert [place.rank for place in places] == list(range(6))
    assert {place.size for place in places} == {6}


@pytest.mark.parametrize(
    ("shards", "of_workers", "of_programs"),
    [(1, [], [1]), (2, [1], [2]), (3, [1], [3]), (5, [2], [3]), (6, [2], [3])],
)
def test_sums_within_a_program_and_then_over_all(
    shards: int, of_workers: list[int], of_programs: list[int]
) -> None:
    workers, programs = Noting(0, 2), Noting(1, 3)
    NestedCommunicator(workers, programs, 1, 3).all_reduce(np.zeros(2), shards)
    assert workers.calls == [*of_workers, "broadcast"]
    assert programs.calls == of_programs


def test_workers_meet_before_and_after_the_programs() -> None:
    workers, programs = Noting(0, 2), Noting(0, 2)
    NestedCommunicator(workers, programs, 0, 2).barrier()
    assert (workers.calls, programs.calls) == (["barrier"] * 2, ["barrier"])


def test_a_device_can_record_what_its_own_communicator_does() -> None:
    class OnDevice(Noting):
        can_record = True

    assert NestedCommunicator(ALONE, OnDevice(0, 2), 0, 2).can_record
    assert not NestedCommunicator(ALONE, Noting(0, 2), 0, 2).can_record
    assert not NestedCommunicator(Noting(0, 2), OnDevice(0, 2), 0, 2).can_record


def test_arrays_of_a_device_are_summed_by_copies_on_the_host() -> None:
    class Doubling(Noting):
        def all_reduce(self, values: NDArray[Any], contributors: int) -> None:
            values *= contributors

    class Device:
        def to_host(self, array: Any) -> NDArray[Any]:
            return np.array(array.there)

        def copy(self, source: NDArray[Any], out: Any) -> None:
            out.there = source

    class OfDevice:
        there = np.array([1.0, 2.0])

    values: Any = OfDevice()
    device: Any = Device()
    HostCopyCommunicator(device, Doubling(1, 2)).all_reduce(values, 2)
    assert values.there.tolist() == [2.0, 4.0]
