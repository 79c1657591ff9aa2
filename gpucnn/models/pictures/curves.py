"""Curves of a training, and of several, by epoch."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpucnn.errors import InvalidValueError
from gpucnn.utils.arithmetic import ceil_div
from gpucnn.utils.plots import BLUE, SERIES, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 4.8, 3.4  # of a panel, in inches
LEGEND_ROW = 0.22  # inches
MARKED = 20  # the most epochs of which each is marked, so that one alone can be seen

VALIDATION = "val_"
NO_METRICS = ("epoch", "seconds", "images_per_second")
STYLES = ("-", "--", ":")  # once the colours are used up

Records = Sequence[Mapping[str, Any]]
"""The epochs of a training, see `History`."""


class Trainings(NamedTuple):
    """Trainings that are one curve: a single one, or those of one recipe with several seeds."""

    name: str
    runs: Sequence[Records]


# A single training


def draw_history(epochs: Records) -> "Figure":
    """Draw each metric that is a number by epoch, of training and of validation.

    Raises:
        InvalidValueError: there is no epoch.
        MissingExtraError: Matplotlib is not installed.
    """
    if not epochs:
        raise InvalidValueError("there are no epochs to draw yet: train for at least one")
    names = _metrics(epochs)
    figure, panels = _panels(len(names), legend_rows=1)
    for axes, name in zip(panels, names, strict=True):
        _draw_metric(axes, epochs, name)
    figure.legend(*_entries(panels), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _metrics(epochs: Records) -> list[str]:
    """The metrics that are numbers, without those of validation, the loss first."""
    numbers = dict.fromkeys(
        name.removeprefix(VALIDATION)
        for record in epochs
        for name, value in record.items()
        if isinstance(value, (int, float))
    )
    return [name for name in numbers if name not in NO_METRICS]


def _draw_metric(axes: "Axes", epochs: Records, name: str) -> None:
    of_validation = VALIDATION + name
    parts = (
        (name, BLUE, "training, during the epoch"),
        (of_validation, VERMILION, "validation, after the epoch"),
    )
    for key, colour, label in parts:
        numbers, values = _points(epochs, key)
        if numbers:
            axes.plot(numbers, values, color=colour, label=label, marker=_marker(numbers))
    told = of_validation if any(of_validation in each for each in epochs) else name
    last, values = _points(epochs, told)
    kind = "validation" if told == of_validation else "training"
    value = as_text(name, values[-1])
    title = f"{readable(name)}\n{value} in {kind} after epoch {last[-1]}"
    axes.set_title(title, parse_math=False)
    _label(axes, name)


def _points(epochs: Records, key: str) -> tuple[list[int], list[float]]:
    """The numbers of the epochs that have a value, and the values."""
    found = [(each["epoch"], each[key]) for each in epochs if key in each]
    return [number for number, _ in found], [value for _, value in found]


def _entries(panels: Sequence["Axes"]) -> tuple[list[Any], list[str]]:
    """Handles and labels of a legend for all panels, each label once."""
    found: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


# Several trainings


def draw_trainings(trainings: Sequence[Trainings]) -> "Figure":
    """Draw the loss and the accuracy in validation of several trainings by epoch.

    Those with several seeds are a line at their mean, in a band from the least to the greatest.

    Raises:
        InvalidValueError: one of them has no epoch.
        MissingExtraError: Matplotlib is not installed.
    """
    for each in trainings:
        if not any(each.runs):
            raise InvalidValueError(f"{each.name} has no epochs to draw yet: train it for one")
    figure, panels = _panels(2, legend_rows=len(trainings))
    styles = [(colour, style) for style in STYLES for colour in SERIES]
    for each, (colour, style) in zip(trainings, cycle(styles), strict=False):
        for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
            _draw_spread(axes, each, name, colour, style)
    for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
        axes.set_title(f"{name} in validation")
        _label(axes, name)
    columns = 1 if len(trainings) < 4 else 2
    figure.legend(*_entries(panels), loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _draw_spread(
    axes: "Axes", trainings: Trainings, name: str, colour: str, linestyle: str
) -> None:
    by_epoch: dict[int, list[float]] = {}
    for records in trainings.runs:
        for number, value in zip(*_points(records, VALIDATION + name), strict=True):
            by_epoch.setdefault(number, []).append(value)
    numbers, values = list(by_epoch), list(by_epoch.values())
    means = [float(np.mean(each)) for each in values]
    (line,) = axes.plot(numbers, means, linestyle, color=colour, marker=_marker(numbers))
    line.set_label(_name(trainings, values))
    if len(trainings.runs) > 1:
        bounds = [min(each) for each in values], [max(each) for each in values]
        axes.fill_between(numbers, *bounds, color=colour, alpha=0.2, linewidth=0)


def _name(trainings: Trainings, values: Sequence[Sequence[float]]) -> str:
    """The label of a curve: not every training need have come to every epoch."""
    if len(trainings.runs) == 1:
        return trainings.name
    counts = {len(each) for each in values}
    seeds = str(max(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    return f"{trainings.name}: mean and range of {seeds} seeds"


# Panels


def _panels(count: int, legend_rows: int) -> tuple["Figure", list["Axes"]]:
    """A figure with panels side by side, two in a row, and room below for a legend."""
    columns = min(count, 2)
    rows = ceil_div(count, columns)
    figure = new_figure(WIDTH * columns, HEIGHT * rows + LEGEND_ROW * (1 + legend_rows))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in grid[count:]:
        unused.remove()
    return figure, list(grid[:count])


def _label(axes: "Axes", name: str) -> None:
    """Label the axes of a panel: epochs are whole numbers, accuracies shares."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    first, last = axes.dataLim.intervalx
    margin = min(0.03 * (last - first), 0.5) or 0.5
    if isfinite(first):  # else no value is
        axes.set_xlim(first - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    if _is_share(name):
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.locator_params(axis="y", nbins=6)
    axes.set_xlabel("epoch")
    axes.set_ylabel(readable(name), parse_math=False)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def readable(name: str) -> str:
    """The name of a metric as words."""
    return name.replace("_", " ")


def _is_share(name: str) -> bool:
    return name.endswith("accuracy")


def as_text(name: str, value: float) -> str:
    """The value of a metric of that name: an accuracy in per cent."""
    return f"{value:.2%}" if _is_share(name) else f"{value:.4g}"


def _marker(epochs: Sequence[int]) -> str:
    return "." if len(epochs) <= MARKED else ""
