"""Comparison of two reports: which figures changed by more than the noise of the measurements."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gpucnn.benchmark.report.records import Environment, Report, TimeToAccuracy
from gpucnn.benchmark.timing import median_interval
from gpucnn.errors import InvalidValueError

MEMORY_NOISE = 0.005  # of the peak: equal processes were seen to differ by at most 0.1 %


class Figure(NamedTuple):
    """The identity of a figure, which both reports have.

    Args:
        contender: a device of gpucnn, or a peer.
        what: "training step", "inference", "conv2d forward" (and so on), "training step (ranks: 2,
            workers of each: 1)", "peak memory", "start-up", or "time to 98%".
        batch_size: images in a batch; None for the time to an accuracy.
    """

    contender: str
    what: str
    batch_size: int | None

    def __str__(self) -> str:
        images = "" if self.batch_size is None else f", batches of {self.batch_size:,}"
        return f"{self.what} on {self.contender}{images}"


class Value(NamedTuple):
    """The value of a figure, and its confidence interval.

    The interval is None if the figure was measured too seldom to know its noise.
    """

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Change:
    """The change of a figure, of which less is better.

    Args:
        figure: which one.
        old: seconds, or bytes of memory, in the old report; the median of the rounds, if several.
        new: the same in the new report.
        interval: the 95 % confidence interval of new / old; None if the noise is not known.
    """

    figure: Figure
    old: float
    new: float
    interval: tuple[float, float] | None

    @property
    def ratio(self) -> float:
        """New / old: above 1 is slower, or takes more memory."""
        return self.new / self.old

    @property
    def is_beyond_noise(self) -> bool:
        """Whether the change is larger than noise explains."""
        return self.interval is not None and not self.interval[0] <= 1 <= self.interval[1]

    def is_regression(self, tolerance: float) -> bool:
        """Whether the figure got worse by more than noise and `tolerance`, a share of the old."""
        return self.interval is not None and self.interval[0] > 1 + tolerance


@dataclass(frozen=True)
class Comparison:
    """The comparison of two reports.

    Args:
        changes: one for each figure that both reports have.
        only_old: the figures that only the old report has.
        only_new: the figures that only the new report has.
        lost: for each contender that no longer reaches its accuracy, the old and the new result.
        differences: between the environments, a line each.
    """

    changes: list[Change]
    only_old: list[Figure]
    only_new: list[Figure]
    lost: list[tuple[TimeToAccuracy, TimeToAccuracy]]
    differences: list[str]

    def regressions(self, tolerance: float) -> list[Change]:
        """The changes for the worse by more than noise and `tolerance`, a share of the old."""
        return [change for change in self.changes if change.is_regression(tolerance)]


def compare(old: Report, new: Report) -> Comparison:
    """Compare the figures of two reports.

    Noise is the variation between rounds. A report does not show variation between whole runs,
    such as a busy or hot machine: the tolerance has to allow for it.

    Raises:
        InvalidValueError: the reports are of different models or dtypes, have no figure in common,
            or have too few rounds to tell a change from noise.
    """
    for name in ("model", "dtype"):
        _check_same(name, getattr(old.environment, name), getattr(new.environment, name))
    before, after = dict(_values(old)), dict(_values(new))
    common = [figure for figure in before if figure in after]
    if not common:
        raise InvalidValueError(
            "the reports have no device, task and batch size in common: measure the same in both"
        )
    return Comparison(
        changes=[_change(figure, before[figure], after[figure]) for figure in common],
        only_old=[figure for figure in before if figure not in after],
        only_new=[figure for figure in after if figure not in before],
        lost=_lost(old.accuracies, new.accuracies),
        differences=list(_differences(old.environment, new.environment)),
    )


def _check_same(name: str, old: str, new: str) -> None:
    if old != new:
        raise InvalidValueError(
            f"the {name} is {old} in the old report and {new} in the new: compare reports of one "
            f"{name}"
        )


def _values(report: Report) -> Iterator[tuple[Figure, Value]]:
    """The figures of a report that are compared, with their values."""
    for task in report.measurements:
        figure = Figure(task.contender, task.task, task.batch_size)
        yield figure, Value(task.median, median_interval(task.seconds))
    for layer in report.layers:
        figure = Figure(layer.contender, f"{layer.layer} {layer.direction}", layer.batch_size)
        yield figure, Value(layer.median, median_interval(layer.seconds))
    for step in report.ranks:
        what = f"training step (ranks: {step.ranks}, workers of each: {step.workers})"
        figure = Figure(step.contender, what, step.batch_size)
        yield figure, Value(step.median, median_interval(step.seconds))
    for memory in report.memory:
        figure = Figure(memory.contender, "peak memory", memory.batch_size)
        interval = (memory.bytes * (1 - MEMORY_NOISE), memory.bytes * (1 + MEMORY_NOISE))
        yield figure, Value(memory.bytes, interval)
    for start in report.start_ups:  # too few to know their noise
        yield Figure(start.contender, "start-up", start.batch_size), Value(start.median, None)
    for each in report.accuracies:
        if each.is_reached:
            figure = Figure(each.contender, f"time to {100 * each.target:g}%", None)
            yield figure, Value(each.seconds, None)


def _change(figure: Figure, old: Value, new: Value) -> Change:
    """The change of a figure, with the interval that the ends of both intervals allow."""
    if old.interval is None or new.interval is None:
        return Change(figure, old.value, new.value, None)
    (old_low, old_high), (new_low, new_high) = old.interval, new.interval
    return Change(figure, old.value, new.value, (new_low / old_high, new_high / old_low))


def _lost(
    old: list[TimeToAccuracy], new: list[TimeToAccuracy]
) -> list[tuple[TimeToAccuracy, TimeToAccuracy]]:
    return [
        (before, after)
        for before in old
        for after in new
        if (before.contender, before.target) == (after.contender, after.target)
        and before.is_reached
        and not after.is_reached
    ]


def _differences(old: Environment, new: Environment) -> Iterator[str]:
    before, after = _facts(old), _facts(new)
    for name in before:
        if name in after and after[name] != before[name]:
            yield f"{name}: {before[name]} before, {after[name]} now"


def _facts(environment: Environment) -> dict[str, str]:
    """The parts of an environment that figures depend on, by name."""
    machine = {"the machine": environment.machine, "threads": str(environment.threads)}
    return machine | environment.devices | environment.versions
