"""Ranks that meet, add up and tell each other, as threads of this process."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpucnn.backends import ALONE, Array, Communicator
from gpucnn.backends.workers.communicator import (
    Link,
    SharedMemoryCommunicator,
    reduction_bytes,
)

SIZES = [2, 3, 5]
LARGEST = 100 * 8


def nothing_is_wrong() -> None:
    pass


def communicators(
    size: int, check: Callable[[], None] = nothing_is_wrong
) -> list[SharedMemoryCommunicator]:
    """Of all ranks."""
    links = [Link(threading.Semaphore(0), threading.Semaphore(0)) for _ in range(size - 1)]
    memory = np.zeros(reduction_bytes(size, LARGEST), np.uint8)
    of_rank = [links, *([link] for link in links)]
    return [
        SharedMemoryCommunicator(rank, size, mine, memory, check)
        for rank, mine in enumerate(of_rank)
    ]


def run(size: int, program: Callable[[Communicator], None]) -> None:
    """Have all ranks run a program."""
    errors: list[BaseException] = []

    def rank(communicator: Communicator) -> None:
        try:
            program(communicator)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=rank, args=(each,)) for each in communicators(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert errors == []


@pytest.mark.parametrize("size", SIZES)
def test_barrier_waits_for_all(size: int) -> None:
    arrived = np.zeros(size, np.int64)

    def program(communicator: Communicator) -> None:
        for step in range(1, 50):
            arrived[communicator.rank] = step
            communicator.barrier()
            assert (arrived >= step).all()

    run(size, program)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_all_reduce_adds_in_the_order_of_the_ranks(size: int, dtype: str) -> None:
    values = np.random.default_rng(0).standard_normal((20, size, 7, 3)).astype(dtype)

    def program(communicator: Communicator) -> None:
        for contributors in range(1, size + 1):
            for given in values:
                mine = given[communicator.rank].copy()
                communicator.all_reduce(mine, contributors)
                expected = given[0].copy()
                for each in given[1:contributors]:
                    expected += each
                assert mine.tobytes() == expected.tobytes()

    run(size, program)


def test_all_reduce_adds_nothing_for_a_rank_that_has_nothing() -> None:
    """Not a zero either: -0.0 plus 0.0 is another number."""

    def program(communicator: Communicator) -> None:
        mine = np.array([-0.0])
        communicator.all_reduce(mine, 1)
        assert np.signbit(mine[0])

    run(3, program)


@pytest.mark.parametrize("size", SIZES)
def test_broadcast_gives_what_rank_0_has(size: int) -> None:
    def program(communicator: Communicator) -> None:
        for step in range(30):
            values = np.full(3, 100 * communicator.rank + step, np.int64)
            communicator.broadcast(values)
            assert_array_equal(values, step)

    run(size, program)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_does_not_come_is_looked_for(rank: int) -> None:
    def fail() -> None:
        raise InterruptedError("it is no more")

    with pytest.raises(InterruptedError):
        communicators(2, fail)[rank].barrier()


def test_alone_nothing_changes() -> None:
    values: Array = np.arange(3.0)
    ALONE.barrier()
    ALONE.all_reduce(values, 1)
    ALONE.broadcast(values)
    assert_array_equal(values, np.arange(3.0))
    assert (ALONE.rank, ALONE.size) == (0, 1)


@pytest.mark.parametrize(("size", "largest"), [(2, 1), (2, 64), (3, 65), (64, 900_000)])
def test_no_two_ranks_share_a_line_of_the_caches(size: int, largest: int) -> None:
    row, rest = divmod(reduction_bytes(size, largest), 2 * size)
    assert rest == 0
    assert row % 64 == 0
    assert row >= largest
