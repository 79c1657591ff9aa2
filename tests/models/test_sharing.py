import pytest

import small
from gpucnn import Sequential
from gpucnn.backends import CpuBackend
from gpucnn.backends.workers import pool as workers
from gpucnn.models.training import sharing
from microbatches import InMicrobatches

pytestmark = pytest.mark.usefixtures("workers")


def model(threads: int) -> Sequential:
    made = Sequential(small.layers(), small.SHAPE, device="cpu")
    made.place(InMicrobatches(threads, 3))
    return made


class TestWorth:
    def test_of_workers_depends_on_the_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        replica = model(3).replica
        monkeypatch.setattr(sharing, "LEAST_SPAN", replica.multiply_adds(100))
        assert sharing.count_workers(replica, 99, 13) == 0
        assert sharing.count_workers(replica, 100, 13) == 2
        assert sharing.count_workers(replica, 100, 2) == 1
        assert sharing.count_workers(replica, 100, 1) == 0

    def test_a_small_fit_starts_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sharing, "LEAST_SPAN", 10**18)
        monkeypatch.setattr(workers.WorkerPool, "request", lambda *_: pytest.fail("it does"))
        model(2).fit(small.images(30), small.labels(30), verbose=0)


def test_workers_of_a_device_that_has_none_are_none() -> None:
    made = Sequential(small.layers(), small.SHAPE, device="cpu", threads=1)
    assert isinstance(made.backend, CpuBackend)
    assert sharing.count_workers(made.replica, 10**9, 10**6) == 0
