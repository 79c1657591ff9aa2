"""Training by several ranks, as processes that `mpiexec` starts."""

import pytest

from mpiexec import run_script


def trained(ranks: int, kind: str, device: str = "cpu", threads: int = 1) -> str:
    """What the script prints of a training, which is the same on all ranks."""
    outcome = run_script(ranks, "train.py", kind, device, str(threads))
    assert (outcome.status, outcome.told) == (0, []), outcome
    assert len(outcome.out) == ranks, outcome
    (told,) = set(outcome.out)
    return told


KINDS = ["plain", "residual", "last_image", "metrics", "iterable"]


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_of_one_worker_and_workers_of_one_rank_give_the_same_bytes(kind: str) -> None:
    of_counts = [trained(1, kind, threads=count) for count in (1, 2, 3, 4)]
    assert [trained(count, kind) for count in (1, 2, 3, 4)] == of_counts
    assert len(set(of_counts)) == 4  # of sums in other orders
    assert len({told.rpartition(" ")[0] for told in of_counts}) == 1  # but for rounding


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_with_workers_of_their_own(kind: str) -> None:
    told = trained(2, kind, threads=2)
    assert told == trained(2, kind, threads=2)
    assert told.rpartition(" ")[0] == trained(1, kind).rpartition(" ")[0]


def test_all_ranks_stop_where_one_does() -> None:
    told = trained(3, "stop")
    assert told.startswith("1 ")
    assert told == trained(1, "stop", threads=3)


@pytest.mark.parametrize("kind", ["plain", "residual", "classifier"])
def test_ranks_on_the_simulator(kind: str) -> None:
    """A classifier is a single operation there, but not of ranks, which share the batch."""
    of_counts = [trained(count, kind, "simulator") for count in (1, 2, 3, 4)]
    assert trained(2, kind, "simulator") == of_counts[1]
    assert len(set(of_counts)) == 4  # of sums in other orders
    assert len({told.rpartition(" ")[0] for told in of_counts}) == 1  # but for rounding
