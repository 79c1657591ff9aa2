"""A plot of a report: bars of the speeds, and rooflines."""

import os
from itertools import cycle
from math import ceil, floor, log10
from typing import TYPE_CHECKING

import numpy as np

from gpucnn.benchmark.report.records import (
    Environment,
    LayerMeasurement,
    Measurement,
    Report,
    Roofline,
)
from gpucnn.benchmark.timing import quartiles
from gpucnn.utils.plots import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    check_plot,
    new_figure,
    write_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

WIDTH = 12.0  # of the figure, in inches, as are the heights below
BAR_HEIGHT, LEAST_BARS_HEIGHT = 0.2, 2.5
LABEL_HEIGHT, LEAST_ROOFLINE_HEIGHT = 0.2, 4.0
CONTENDER_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
DIRECTION_COLOURS = {"forward": BLUE, "backward": VERMILION}


def write_plot(path: str | os.PathLike[str], report: Report) -> None:
    """Plot a report to a PNG file: bars of the speeds, and the roofline of each device.

    A bar is the images per second of a contender in a task, by the median of its rounds, with
    whiskers at the quartiles. A roofline, see `roofline`, has a point for each direction of each
    layer at the largest batch size, except layers without arithmetic, such as Flatten.

    Raises:
        InvalidValueError: the name does not end in .png.
        InvalidFileError: `path` is a directory, or its folder does not exist.
        MissingExtraError: Matplotlib is not installed.
        OSError: the file cannot be written.
    """
    check_plot(path)
    write_figure(path, draw(report))


def draw(report: Report) -> "Figure":
    """The figure that `write_plot` saves."""
    rooflines = [(each, _points(report.layers, each.contender)) for each in report.rooflines]
    rooflines = [(roofline, points) for roofline, points in rooflines if points]
    heights = [_bars_height(report.measurements)]
    heights += [max(LEAST_ROOFLINE_HEIGHT, 1 + LABEL_HEIGHT * len(each)) for _, each in rooflines]
    figure = new_figure(WIDTH, 0.6 + sum(heights))
    figure.suptitle(_title(report.environment))
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False).ravel()
    _draw_speeds(parts[0], report)
    for part, (roofline, points) in zip(parts[1:], rooflines, strict=True):
        _draw_roofline(part.subplots(), roofline, points)
    return figure


def _title(environment: Environment) -> str:
    return (
        f"{environment.model} in {environment.dtype}, CPU threads: {environment.threads}, "
        f"rounds: {environment.rounds}, {environment.date}\n{environment.machine}"
    )


# Bars


def _bars_height(measurements: list[Measurement]) -> float:
    groups = {each.batch_size for each in measurements}
    bars = len(groups) * (1 + len(_contenders(measurements)))
    return max(LEAST_BARS_HEIGHT, 1.5 + BAR_HEIGHT * bars)


def _contenders(measurements: list[Measurement]) -> list[str]:
    return list(dict.fromkeys(each.contender for each in measurements))


def _draw_speeds(figure: "SubFigure", report: Report) -> None:
    """Draw the images per second in each task, side by side."""
    from matplotlib.patches import Patch

    measurements = report.measurements
    contenders = _contenders(measurements)
    colours = dict(zip(contenders, cycle(CONTENDER_COLOURS)))
    tasks = list(dict.fromkeys(each.task for each in measurements))
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        _draw_bars(axes, [each for each in measurements if each.task == task], colours)
        axes.set_title(task)
    handles = [Patch(color=colour, label=report.label(each)) for each, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def _draw_bars(axes: "Axes", measurements: list[Measurement], colours: dict[str, str]) -> None:
    """Draw the speed of each contender in one task, in a group for each batch size."""
    sizes = sorted({each.batch_size for each in measurements})
    thickness = 1 / (1 + len(colours))  # leaves the width of a bar between two groups
    places = {
        contender: (i - (len(colours) - 1) / 2) * thickness for i, contender in enumerate(colours)
    }
    bars = axes.barh(
        [sizes.index(each.batch_size) + places[each.contender] for each in measurements],
        [each.images_per_second for each in measurements],
        0.9 * thickness,
        xerr=np.transpose([_whiskers(each) for each in measurements]),
        color=[colours[each.contender] for each in measurements],
        capsize=2,
    )
    axes.bar_label(bars, [_rounded(each.images_per_second) for each in measurements], padding=3)
    axes.set_yticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    axes.set_ylim(len(sizes) - 0.5, -0.5)
    axes.set_ylabel("images in a batch")
    axes.set_xlabel("images/s: median and quartiles")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=6)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)


def _whiskers(measurement: Measurement) -> tuple[float, float]:
    """The distances of the lower and the upper quartile of the speed from its median."""
    spread, speed = quartiles(measurement.seconds), measurement.images_per_second
    slow, fast = (measurement.batch_size / seconds for seconds in (spread.high, spread.low))
    return speed - slow, fast - speed


def _rounded(value: float) -> str:
    """A number rounded to three significant digits."""
    return f"{float(f'{value:.3g}'):,.10g}"


# Rooflines


def _points(layers: list[LayerMeasurement], contender: str) -> list[LayerMeasurement]:
    """The layers of a contender to plot: those at the largest batch size, highest rate first."""
    mine = [each for each in layers if each.contender == contender]
    largest = max((each.batch_size for each in mine), default=0)
    shown = [e for e in mine if e.batch_size == largest and e.operations > 0 and e.bytes > 0]
    return sorted(shown, key=_rate, reverse=True)


def _rate(layer: LayerMeasurement) -> float:
    """Operations per second, in billions."""
    return layer.operations / layer.median / 1e9


def _intensity(layer: LayerMeasurement) -> float:
    """Operations per byte moved."""
    return layer.operations / layer.bytes


def _draw_roofline(axes: "Axes", roofline: Roofline, points: list[LayerMeasurement]) -> None:
    """Draw a roofline and the points of the layers, on logarithmic axes."""
    ridge = roofline.flops / roofline.bandwidth
    left, right = _decades([ridge, *map(_intensity, points)])
    bottom, top = _decades([roofline.flops / 1e9, *map(_rate, points)])
    x = np.array([left, ridge, right])
    roof = np.minimum(roofline.flops, roofline.bandwidth * x) / 1e9
    axes.loglog(x, roof, color="black")
    axes.fill_between(x, roof, top, color="#eeeeee")
    for layer in points:
        axes.plot(_intensity(layer), _rate(layer), "o", color=DIRECTION_COLOURS[layer.direction])
    axes.set(xlim=(left, right), ylim=(bottom, top), ylabel="GFLOP/s")
    axes.set_xlabel("operations per byte moved")
    axes.set_title(
        f"layers on {roofline.contender}, batches of {points[0].batch_size:,}; the limits: "
        f"{_rounded(roofline.flops / 1e9)} GFLOP/s, {_rounded(roofline.bandwidth / 1e9)} GB/s"
    )
    fastest = max(roofline.cached, default=0)
    if fastest:  # the roof of the nearest cache, above which none can be
        roof = np.minimum(roofline.flops, fastest * x) / 1e9
        axes.loglog(x, roof, color="black", linestyle=":")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_formatter("")
    _label_points(axes, roofline, points)


def _decades(values: list[float]) -> tuple[float, float]:
    """The powers of ten that enclose all values, with a margin."""
    return 10 ** floor(log10(min(values) / 1.5)), 10 ** ceil(log10(max(values) * 1.5))


def _label_points(axes: "Axes", roofline: Roofline, points: list[LayerMeasurement]) -> None:
    """Label the points beside the axes, from top to bottom, so that no labels overlap."""
    for index, layer in enumerate(points):
        colour = DIRECTION_COLOURS[layer.direction]
        axes.annotate(
            f"{layer.layer} {layer.direction}, {layer.share(roofline):.0%} of the limit",
            (_intensity(layer), _rate(layer)),
            xytext=(1.04, 1 - (index + 0.5) / len(points)),
            textcoords="axes fraction",
            verticalalignment="center",
            color=colour,
            arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.4, "relpos": (0, 0.5)},
        )
