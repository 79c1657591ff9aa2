from dataclasses import replace
from math import inf
from typing import Any

import pytest

from benchmark.example import REPORT
from benchmark.small_plan import small_plan
from gpucnn.benchmark import scaling
from gpucnn.benchmark.ranks import Launch, StepTimes, Times
from gpucnn.benchmark.report import AllReduceMeasurement, RankMeasurement
from gpucnn.benchmark.scaling import (
    SIZES,
    Exchange,
    Link,
    Scaling,
    exchange_of,
    fit,
    fit_all,
    scaled,
)


def step(ranks: int, batch_size: int, seconds: float, **changes: Any) -> RankMeasurement:
    """A step on ranks that sum 1,000 bytes."""
    given = RankMeasurement(
        "cpu", ranks, 1, batch_size, ranks, [seconds] * 3, 1000, [1e-5] * 3, [2e-5] * 3
    )
    return replace(given, **changes)


# The model


@pytest.mark.parametrize(
    ("size", "ranks", "contributors", "device", "exchange"),
    [
        (4096, 4, 1, "cpu", Exchange(1, 4096)),  # a broadcast
        (4096, 4, 4, "cpu", Exchange(1, 3 * 4096)),
        (2**14, 4, 4, "cpu", Exchange(1, 3 * 2**14)),
        (2**14 + 4, 4, 4, "cpu", Exchange(2, 2 * (2**14 + 4) * 3 / 4)),
        (2**20, 2, 2, "cpu", Exchange(1, 2**20)),
        (2**20, 4, 3, "simulator", Exchange(2, 1.5 * 2**20)),
        (2**20, 4, 4, "cuda", Exchange(1, 1.5 * 2**20)),
        (4096, 8, 1, "cuda", Exchange(1, 4096)),
    ],
)
def test_what_an_all_reduce_exchanges(
    size: int, ranks: int, contributors: int, device: str, exchange: Exchange
) -> None:
    assert exchange_of(size, ranks, contributors, device) == exchange


def test_an_exchange_takes_its_latency_and_its_bytes() -> None:
    assert Link(latency=5.0, bandwidth=10.0).seconds(Exchange(2, 70)) == 17


def test_the_link_is_found_from_its_times() -> None:
    link = Link(latency=3e-6, bandwidth=2e9)
    exchanges = [exchange_of(size, 4, 4, "cpu") for size in SIZES]
    found = fit(exchanges, [link.seconds(each) for each in exchanges])
    assert found.latency == pytest.approx(link.latency)
    assert found.bandwidth == pytest.approx(link.bandwidth)


def test_the_fit_weighs_relative_errors() -> None:
    """Of two times of one exchange, 1 and 3, the sum of (latency / t - 1)^2 is least at 1.2."""
    assert fit([Exchange(1, 0)] * 2, [1.0, 3.0]).latency == pytest.approx(1.2)


def test_a_latency_is_never_below_nothing() -> None:
    found = fit([Exchange(1, 10), Exchange(1, 100)], [1.0, 20.0])
    assert found.latency == 0
    assert found.bandwidth == pytest.approx(10 * (1 + 0.5**2) / (1 + 0.5))


def test_bytes_that_cost_nothing() -> None:
    found = fit([Exchange(1, 10), Exchange(1, 100)], [2.0, 1.0])
    assert found.bandwidth == inf
    assert found.latency == pytest.approx((0.5 + 1) / (0.5**2 + 1))


def test_each_number_of_ranks_has_a_link_of_its_own() -> None:
    links = {2: Link(1e-6, 1e9), 4: Link(2e-6, 4e9)}
    measured = [
        AllReduceMeasurement("cpu", ranks, size, [link.seconds(exchange)])
        for ranks, link in links.items()
        for size in SIZES
        for exchange in [exchange_of(size, ranks, ranks, "cpu")]
    ]
    found = fit_all(measured)
    assert list(found) == [("cpu", 2), ("cpu", 4)]
    for ranks, link in links.items():
        assert found["cpu", ranks] == pytest.approx(link)


def test_a_step_is_set_beside_those_of_one_rank() -> None:
    one, part, other = step(1, 64, 4.0), step(1, 32, 2.0), step(1, 64, 9.0, contender="simulator")
    both = step(2, 64, 2.5)
    assert scaled([one, part, other, both]) == [(both, one, part)]


def test_the_model_adds_a_part_and_an_all_reduce() -> None:
    both = scaled([step(1, 64, 4.0), step(1, 32, 2.0), step(2, 64, 2.5)])[0]
    assert both.all_reduce(Link(0.25, 8000)) == 0.25 + 1000 / 8000
    assert both.model(Link(0.25, 8000)) == 2.0 + 0.375


def test_a_batch_that_is_not_split_is_told_to_the_others() -> None:
    both = scaled([step(1, 8, 4.0), step(2, 8, 4.0, shards=1)])[0]
    assert both.same_part.batch_size == 8
    assert both.all_reduce(Link(0.25, 8000)) == 0.375


def test_workers_are_set_beside_one_rank_too() -> None:
    one, part = step(1, 64, 4.0), step(1, 32, 2.0)
    workers = step(1, 64, 2.5, workers=2, shards=2)
    assert scaled([one, part, workers]) == [(workers, one, part)]


# The measurements


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Launch]:
    """Launches take no time from now on, and are listed here."""
    launches: list[Launch] = []

    def time_on_ranks(launch: Launch) -> Times:
        launches.append(launch)
        number = float(len(launches))
        steps = [StepTimes(number + size, 0.5, 0.75) for size in launch.batch_sizes]
        return Times(steps, [number * size for size in launch.sizes])

    monkeypatch.setattr(scaling, "time_on_ranks", time_on_ranks)
    return launches


def test_a_round_has_each_number_of_ranks_and_as_many_workers(launched: list[Launch]) -> None:
    Scaling(small_plan(batch_sizes=(64,), ranks=(2, 4)), "cpu").round()
    assert launched == [
        Launch("cpu", "notebook", "float32", 1, 1, (16, 32, 64, 128, 256)),
        Launch("cpu", "notebook", "float32", 2, 1, (64, 128), SIZES),
        Launch("cpu", "notebook", "float32", 1, 2, (64, 128)),
        Launch("cpu", "notebook", "float32", 4, 1, (64, 256), SIZES),
        Launch("cpu", "notebook", "float32", 1, 4, (64, 256)),
    ]


def test_only_the_cpu_has_workers(launched: list[Launch]) -> None:
    Scaling(small_plan(batch_sizes=(64,), ranks=(2,)), "simulator").round()
    assert [(each.ranks, each.workers) for each in launched] == [(1, 1), (2, 1)]


def test_a_small_batch_is_not_split(launched: list[Launch]) -> None:
    measured = Scaling(small_plan(batch_sizes=(4,), ranks=(2,)), "simulator")
    measured.round()
    assert launched[0].batch_sizes == (4, 8)
    assert {(each.batch_size, each.shards) for each in measured.steps()} == {(4, 1), (8, 1)}


def test_rounds_become_measurements(launched: list[Launch]) -> None:
    measured = Scaling(small_plan(batch_sizes=(64,), ranks=(2,)), "simulator")
    measured.round()
    measured.round()
    alone, both = ([each for each in measured.steps() if each.ranks == ranks] for ranks in (1, 2))
    assert [(each.batch_size, each.shards, each.seconds) for each in alone] == [
        (32, 1, [33, 35]),
        (64, 1, [65, 67]),
        (128, 1, [129, 131]),
    ]
    assert both[0] == RankMeasurement(
        "simulator", 2, 1, 64, 2, [66, 68], 4 * 13_610, [0.5, 0.5], [0.75, 0.75]
    )
    assert all(each.exchange == each.held == [] for each in alone)
    assert measured.all_reduces()[0] == AllReduceMeasurement(
        "simulator", 2, SIZES[0], [2 * SIZES[0], 4 * SIZES[0]]
    )


def test_a_report_without_ranks_has_no_steps_to_compare() -> None:
    assert scaled(REPORT.ranks) == []
    assert fit_all(REPORT.all_reduces) == {}
