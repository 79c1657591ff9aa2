"""Two reports of one benchmark: what changed by more than the noise of its measurements."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gpucnn.benchmark.report import Report, Stamp, TimeToAccuracy
from gpucnn.benchmark.spread import median_interval
from gpucnn.errors import InvalidValueError

MEMORY_NOISE = 0.005  # of the peak: processes that do the same have lain within 0.1 %


class Figure(NamedTuple):
    """What is compared, the same in both reports.

    Args:
        subject: a device of gpucnn, or a peer.
        what: "training step", "inference", "conv2d forward" (and so on), "peak memory", or
            "time to 98%".
        batch_size: images at a time; None for the time to an accuracy.
    """

    subject: str
    what: str
    batch_size: int | None

    def __str__(self) -> str:
        images = "" if self.batch_size is None else f", batches of {self.batch_size:,}"
        return f"{self.what} on {self.subject}{images}"


class Value(NamedTuple):
    """A figure's value, and the interval in which it lies with all that noise may do to it.

    The interval is None for what was measured once, whose noise is not known.
    """

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Change:
    """What became of a figure.

    Args:
        figure: which; less of it is better.
        old: seconds, or bytes of memory, before: the median, where there were several rounds.
        new: the same, after.
        interval: where new / old lies, noise considered, with a confidence of 95 %; None if that is
            not known.
    """

    figure: Figure
    old: float
    new: float
    interval: tuple[float, float] | None

    @property
    def ratio(self) -> float:
        """New / old: above 1 is slower, or more memory."""
        return self.new / self.old

    @property
    def is_beyond_noise(self) -> bool:
        """Whether noise does not explain it."""
        return self.interval is not None and not self.interval[0] <= 1 <= self.interval[1]

    def is_regression(self, tolerance: float) -> bool:
        """Whether it is for the worse, by more than noise and a tolerated share of the old."""
        return self.interval is not None and self.interval[0] > 1 + tolerance


@dataclass(frozen=True)
class Comparison:
    """Two reports, held against each other.

    Args:
        changes: one for each figure of both reports.
        only_old: what only the old report has.
        only_new: what only the new report has.
        lost: of each subject that no longer reaches its accuracy, what it reached before and now.
        differences: what the reports were measured with that is not the same, each in a line.
    """

    changes: list[Change]
    only_old: list[Figure]
    only_new: list[Figure]
    lost: list[tuple[TimeToAccuracy, TimeToAccuracy]]
    differences: list[str]

    def regressions(self, tolerance: float) -> list[Change]:
        """The changes for the worse by more than noise and a tolerated share of the old."""
        return [change for change in self.changes if change.is_regression(tolerance)]


def compare(old: Report, new: Report) -> Comparison:
    """Hold the figures of a new report against those of an old one.

    Noise is what differs from round to round. What differs between two runs as a whole, such as a
    machine that is busy or warm, no report can tell: a tolerance has to cover it.

    Raises:
        InvalidValueError: the reports are of different models or dtypes, have no figure in common,
            or have too few rounds to tell a change from noise.
    """
    for name in ("model", "dtype"):
        _check_same(name, getattr(old.stamp, name), getattr(new.stamp, name))
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
        differences=list(_differences(old.stamp, new.stamp)),
    )


def _check_same(name: str, old: str, new: str) -> None:
    if old != new:
        raise InvalidValueError(
            f"the {name} is {old} in the old report and {new} in the new: compare reports of one "
            f"{name}"
        )


def _values(report: Report) -> Iterator[tuple[Figure, Value]]:
    for task in report.measurements:
        figure = Figure(task.subject, task.task, task.batch_size)
        yield figure, Value(task.median, median_interval(task.seconds))
    for layer in report.layers:
        figure = Figure(layer.subject, f"{layer.layer} {layer.direction}", layer.batch_size)
        yield figure, Value(layer.median, median_interval(layer.seconds))
    for memory in report.memory:
        figure = Figure(memory.subject, "peak memory", memory.batch_size)
        interval = (memory.bytes * (1 - MEMORY_NOISE), memory.bytes * (1 + MEMORY_NOISE))
        yield figure, Value(memory.bytes, interval)
    for each in report.accuracies:
        if each.is_reached:
            figure = Figure(each.subject, f"time to {100 * each.target:g}%", None)
            yield figure, Value(each.seconds, None)


def _change(figure: Figure, old: Value, new: Value) -> Change:
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
        if (before.subject, before.target) == (after.subject, after.target)
        and before.is_reached
        and not after.is_reached
    ]


def _differences(old: Stamp, new: Stamp) -> Iterator[str]:
    before, after = _facts(old), _facts(new)
    for name in before:
        if name in after and after[name] != before[name]:
            yield f"{name}: {before[name]} before, {after[name]} now"


def _facts(stamp: Stamp) -> dict[str, str]:
    """What figures depend on, and what it is called."""
    alone = {"the machine": stamp.machine, "threads": str(stamp.threads)}
    return alone | stamp.devices | stamp.versions
