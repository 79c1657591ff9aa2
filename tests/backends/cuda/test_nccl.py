from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucnn.backends import ALONE, Communicator
from gpucnn.backends.backend import CudaBackend
from gpucnn.backends.cuda.nccl import NcclCommunicator
from gpucnn.backends.cuda.simulator_runtime import SimulatorRuntime


class Group:
    """CuPy's communicator, of two ranks that have equal arrays, on the host."""

    def __init__(self, size: int, rank: int) -> None:
        self.calls: list[Any] = [("made", size, rank)]

    def all_reduce(self, values: NDArray[Any], out: NDArray[Any]) -> None:
        self.calls.append("all_reduce")
        np.multiply(values, 2, out=out)

    def broadcast(self, values: NDArray[Any]) -> None:
        self.calls.append("broadcast")


class Host(Communicator):
    size = 2

    def __init__(self, rank: int) -> None:
        self.rank, self.barriers = rank, 0

    def barrier(self) -> None:
        self.barriers += 1


def made(rank: int) -> tuple[NcclCommunicator, Group, Host]:
    groups: list[Group] = []

    def make(size: int, rank: int) -> Group:
        groups.append(Group(size, rank))
        return groups[-1]

    host = Host(rank)
    return NcclCommunicator(make, nullcontext, host), groups[-1], host


def test_sums_are_those_of_nccl() -> None:
    communicator, group, host = made(1)
    values = np.ones(3)
    communicator.all_reduce(values, 2)
    assert values.tolist() == [2, 2, 2]
    assert group.calls == [("made", 2, 1), "all_reduce"]
    assert (communicator.rank, communicator.size, communicator.can_record) == (1, 2, True)
    communicator.barrier()
    assert host.barriers == 1


def test_ranks_without_a_shard_add_zeros() -> None:
    class Three(Host):
        size = 3

    host = Three(2)
    communicator = NcclCommunicator(Group, nullcontext, host)
    values = np.ones(3)
    communicator.all_reduce(values, 2)
    assert values.tolist() == [0, 0, 0]


def test_the_values_of_rank_0_alone_are_sent() -> None:
    communicator, group, _ = made(1)
    values = np.ones(3)
    communicator.all_reduce(values, 1)
    communicator.broadcast(values)
    assert values.tolist() == [1, 1, 1]
    assert group.calls[1:] == ["broadcast"] * 2


def test_a_single_rank_does_without_nccl() -> None:
    class Lonely(SimulatorRuntime):
        def across(self, host: Communicator) -> None:
            raise AssertionError("a device is asked for what one rank has no use for")

    assert CudaBackend(Lonely()).across(ALONE) is ALONE
