from dataclasses import replace
from typing import Any

import pytest

from benchmark.example import RANKS, REPORT, rounds, with_seconds
from expect import refusal
from gpucnn.benchmark.report import LayerMeasurement, PeakMemory, Report, TimeToAccuracy
from gpucnn.benchmark.report.comparison import Change, Comparison, Figure, compare

TRAINING = Figure("cpu", "training step", 64)


def change_of(comparison: Comparison, figure: Figure) -> Change:
    (change,) = (each for each in comparison.changes if each.figure == figure)
    return change


def slowed(factor: float) -> Change:
    """What is found when the training step takes `factor` times as long."""
    return change_of(compare(REPORT, with_seconds(REPORT, 0, rounds(factor * 1e-3))), TRAINING)


def in_environment(**changes: Any) -> Report:
    return replace(REPORT, environment=replace(REPORT.environment, **changes))


def test_a_report_is_the_same_as_itself() -> None:
    comparison = compare(REPORT, REPORT)
    assert [change.ratio for change in comparison.changes] == [1] * 10
    assert not any(change.is_beyond_noise for change in comparison.changes)
    assert comparison.regressions(0) == []
    assert comparison == replace(comparison, only_old=[], only_new=[], lost=[], differences=[])


def test_every_figure_is_compared() -> None:
    figures = [str(change.figure) for change in compare(REPORT, REPORT).changes]
    assert figures == [
        "training step on cpu, batches of 64",
        "training step on torch, batches of 64",
        "inference on cpu, batches of 64",
        "conv2d forward on cpu, batches of 64",
        "conv2d backward on cpu, batches of 64",
        "flatten forward on cpu, batches of 64",
        "peak memory on cpu, batches of 64",
        "start-up on cpu, batches of 64",
        "start-up on torch, batches of 64",
        "time to 98% on cpu",
    ]


def test_steps_on_ranks_are_compared() -> None:
    figures = [str(change.figure) for change in compare(RANKS, RANKS).changes]
    assert figures[6:10] == [
        f"training step (ranks: {ranks}, workers of each: {workers}) on cpu, batches of {size}"
        for ranks, workers, size in ((1, 1, 32), (1, 1, 64), (2, 1, 64), (1, 2, 64))
    ]


def test_the_interval_of_a_ratio_is_that_of_both_medians() -> None:
    """The medians are 1 and 2 ms, each within 2 %."""
    change = slowed(2)
    assert (change.old, change.new, change.ratio) == (1e-3, 2e-3, 2)
    assert change.interval == pytest.approx((2 * 0.98 / 1.02, 2 * 1.02 / 0.98))


@pytest.mark.parametrize(
    ("factor", "beyond_noise", "regression"),
    [
        (0.5, True, False),
        (0.97, False, False),
        (1.03, False, False),
        (1.06, True, False),  # beyond the noise, but tolerated
        (1.14, True, False),  # might be a tolerated one
        (1.16, True, True),
    ],
)
def test_a_regression_is_beyond_the_noise_and_the_tolerance(
    factor: float, beyond_noise: bool, regression: bool
) -> None:
    change = slowed(factor)
    assert change.is_beyond_noise is beyond_noise
    assert change.is_regression(0.1) is regression


def test_a_layer_that_is_slower_is_found() -> None:
    layers = [replace(REPORT.layers[0], seconds=rounds(1e-3)), *REPORT.layers[1:]]
    (found,) = compare(REPORT, replace(REPORT, layers=layers)).regressions(0.1)
    assert found.figure == Figure("cpu", "conv2d forward", 64)


@pytest.mark.parametrize(("factor", "worse"), [(1.05, False), (1.2, True), (0.5, False)])
def test_memory_is_compared(factor: float, worse: bool) -> None:
    memory = [replace(REPORT.memory[0], bytes=int(factor * REPORT.memory[0].bytes))]
    found = compare(REPORT, replace(REPORT, memory=memory)).regressions(0.1)
    assert [change.figure.what for change in found] == ["peak memory"] * worse


def with_accuracy(seconds: float, accuracy: float) -> Report:
    return replace(REPORT, accuracies=[TimeToAccuracy("cpu", 0.98, seconds, 4, accuracy)])


def test_one_training_says_nothing_of_its_noise() -> None:
    change = change_of(
        compare(REPORT, with_accuracy(99.0, 0.98)), Figure("cpu", "time to 98%", None)
    )
    assert (change.old, change.new, change.interval) == (7.25, 99.0, None)
    assert not change.is_beyond_noise
    assert not change.is_regression(0.1)


def test_an_accuracy_that_is_no_longer_reached() -> None:
    old, new = with_accuracy(7.0, 0.981), with_accuracy(9.0, 0.97)
    assert compare(old, new).lost == [(old.accuracies[0], new.accuracies[0])]
    assert compare(new, old).lost == compare(new, new).lost == []


def test_what_one_report_lacks_is_told() -> None:
    fewer = replace(REPORT, measurements=REPORT.measurements[1:])
    assert compare(REPORT, fewer).only_old == [TRAINING]
    assert compare(fewer, REPORT).only_new == [TRAINING]
    assert compare(REPORT, fewer).only_new == compare(fewer, REPORT).only_old == []


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"machine": "Another"}, f"the machine: {REPORT.environment.machine} before, Another now"),
        ({"threads": 1}, "threads: 2 before, 1 now"),
        ({"devices": {"cpu": "arm64"}}, "cpu: x86_64, 2 cores before, arm64 now"),
        ({"versions": {"NumPy": "3"}}, "NumPy: 2.4.6 before, 3 now"),
    ],
)
def test_what_else_differs_is_told(changes: dict[str, Any], difference: str) -> None:
    assert compare(REPORT, in_environment(**changes)).differences == [difference]


@pytest.mark.parametrize(
    ("name", "old", "new"), [("model", "notebook", "lenet"), ("dtype", "float32", "float64")]
)
def test_reports_of_different_work_are_refused(name: str, old: str, new: str) -> None:
    with refusal(
        f"the {name} is {old} in the old report and {new} in the new: compare reports of one {name}"
    ):
        compare(REPORT, in_environment(**{name: new}))


def test_reports_without_anything_in_common_are_refused() -> None:
    other = replace(
        REPORT,
        measurements=[],
        layers=[LayerMeasurement("cuda", "conv2d", "forward", 64, rounds(1), 1, 1)],
        accuracies=[],
        memory=[PeakMemory("cpu", 32, 1)],
        start_ups=[],
    )
    with refusal(
        "the reports have no device, task and batch size in common: measure the same in both"
    ):
        compare(REPORT, other)


def test_too_few_rounds_are_refused() -> None:
    with refusal("3 rounds do not tell a change from noise: measure at least 7"):
        compare(REPORT, with_seconds(REPORT, 0, [1.0, 2.0, 3.0]))
