import gc
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError

import pytest

from gpucnn.serving.batching import Batcher, BusyError


class Work:
    """Doubles numbers, once it may, and notes the batches in which it was given them."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go_on, self.has_begun = threading.Event(), threading.Event()

    def __call__(self, asked: Sequence[int]) -> list[int]:
        self.batches.append(list(asked))
        self.has_begun.set()
        assert self.may_go_on.wait(10)
        return [2 * each for each in asked]


@pytest.fixture
def work() -> Work:
    return Work()


def test_what_arrives_while_one_is_computed_is_computed_together(work: Work) -> None:
    batcher = Batcher(work, most=3, waiting=10)
    first = batcher.submit(0)
    assert work.has_begun.wait(10)
    others = [batcher.submit(each) for each in range(1, 6)]
    assert len(batcher) == 5
    work.may_go_on.set()
    assert [each.result(10) for each in (first, *others)] == [0, 2, 4, 6, 8, 10]
    assert work.batches == [[0], [1, 2, 3], [4, 5]]
    assert len(batcher) == 0


def test_as_many_as_may_wait(work: Work) -> None:
    batcher = Batcher(work, most=3, waiting=2)
    first = batcher.submit(0)
    assert work.has_begun.wait(10)
    others = [batcher.submit(each) for each in (1, 2)]
    with pytest.raises(BusyError, match="2 requests are waiting already: ask again later"):
        batcher.submit(3)
    work.may_go_on.set()
    assert [each.result(10) for each in (first, *others)] == [0, 2, 4]
    assert batcher.submit(5).result(10) == 10


def test_nobody_computes_what_nobody_waits_for(work: Work) -> None:
    batcher = Batcher(work, most=3, waiting=9)
    batcher.submit(0)
    assert work.has_begun.wait(10)
    given_up, last = batcher.submit(1), batcher.submit(2)
    assert given_up.cancel()
    work.may_go_on.set()
    assert last.result(10) == 4
    assert work.batches == [[0], [2]]
    with pytest.raises(CancelledError):
        given_up.result(0)


def test_an_error_is_everybodys_and_the_next_batch_goes_on() -> None:
    def divide(asked: Sequence[int]) -> list[float]:
        return [1 / each for each in asked]

    batcher = Batcher(divide, most=3, waiting=9)
    with pytest.raises(ZeroDivisionError):
        batcher.submit(0).result(10)
    assert batcher.submit(2).result(10) == 0.5


def test_the_thread_ends_with_the_batcher() -> None:
    def name(asked: Sequence[int]) -> list[threading.Thread]:
        return [threading.current_thread()] * len(asked)

    batcher = Batcher(name, most=3, waiting=9)
    thread = batcher.submit(1).result(10)
    assert batcher.submit(1).result(10) is thread
    assert thread.is_alive()
    del batcher
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
