"""A benchmark's report as a picture."""

import os
from itertools import cycle
from math import ceil, floor, log10
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpucnn.benchmark.report import LayerMeasurement, Limits, Measurement, Report, Stamp
from gpucnn.benchmark.spread import quartiles
from gpucnn.errors import GpucnnError, InvalidValueError
from gpucnn.utils.files import check_writable, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

WIDTH = 12.0  # of the picture, in inches, as the heights below
BAR_HEIGHT, LEAST_BARS_HEIGHT = 0.2, 2.5
LABEL_HEIGHT, LEAST_ROOFLINE_HEIGHT = 0.2, 4.0
DOTS_PER_INCH = 120
SUBJECT_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
DIRECTION_COLOURS = {"forward": "#0072b2", "backward": "#d55e00"}
# The colours are Okabe and Ito's, which those who see fewer colours can tell apart.


def check_plot(path: str | os.PathLike[str]) -> None:
    """See that `write_plot` can write to `path`.

    Raises:
        InvalidValueError: the name does not end in .png.
        InvalidFileError: `path` is a directory, or its folder does not exist.
        GpucnnError: Matplotlib is not installed.
        OSError: the file cannot be written.
    """
    file = Path(path)
    if file.suffix != ".png":
        raise InvalidValueError(f"the plot's file is {str(file)!r}: give a name that ends in .png")
    try:
        import matplotlib  # noqa: F401 - imported here: it is not always installed
    except ImportError as error:
        raise GpucnnError(
            "a plot needs Matplotlib, which is not installed: pip install 'gpucnn[plot]'"
        ) from error
    check_writable(file)


def write_plot(path: str | os.PathLike[str], report: Report) -> None:
    """Draw a report to a PNG file: bars of the speeds, and each device's roofline.

    A bar is a subject's images per second in a task, by the median of its rounds, with whiskers at
    the quartiles. A roofline has a point for each direction of each layer, at the largest batch
    size; layers without operations on numbers, such as Flatten, have no place on it. (Williams,
    Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
    architectures", Communications of the ACM, 2009.)

    Raises:
        InvalidValueError: the name does not end in .png.
        InvalidFileError: `path` is a directory, or its folder does not exist.
        GpucnnError: Matplotlib is not installed.
        OSError: the file cannot be written.
    """
    check_plot(path)
    figure = draw(report)
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)


def draw(report: Report) -> "Figure":
    """The picture that `write_plot` writes."""
    from matplotlib.figure import Figure

    rooflines = [(limits, _points(report.layers, limits.subject)) for limits in report.limits]
    rooflines = [(limits, points) for limits, points in rooflines if points]
    heights = [_bars_height(report.measurements)]
    heights += [max(LEAST_ROOFLINE_HEIGHT, 1 + LABEL_HEIGHT * len(each)) for _, each in rooflines]
    figure = Figure((WIDTH, 0.6 + sum(heights)), layout="constrained")
    figure.suptitle(_title(report.stamp))
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False).ravel()
    _draw_speeds(parts[0], report.measurements)
    for part, (limits, points) in zip(parts[1:], rooflines, strict=True):
        _draw_roofline(part.subplots(), limits, points)
    return figure


def _title(stamp: Stamp) -> str:
    return (
        f"{stamp.model} in {stamp.dtype}, CPU threads: {stamp.threads}, "
        f"rounds: {stamp.rounds}, {stamp.date}\n{stamp.machine}"
    )


# Bars


def _bars_height(measurements: list[Measurement]) -> float:
    groups = {each.batch_size for each in measurements}
    return max(
        LEAST_BARS_HEIGHT, 1.5 + BAR_HEIGHT * len(groups) * (1 + len(_subjects(measurements)))
    )


def _subjects(measurements: list[Measurement]) -> list[str]:
    return list(dict.fromkeys(each.subject for each in measurements))


def _draw_speeds(figure: "SubFigure", measurements: list[Measurement]) -> None:
    """The images per second in each task, side by side."""
    from matplotlib.patches import Patch

    subjects = _subjects(measurements)
    colours = dict(zip(subjects, cycle(SUBJECT_COLOURS)))
    tasks = list(dict.fromkeys(each.task for each in measurements))
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        _draw_bars(axes, [each for each in measurements if each.task == task], colours)
        axes.set_title(task)
    handles = [Patch(color=colour, label=subject) for subject, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def _draw_bars(axes: "Axes", measurements: list[Measurement], colours: dict[str, str]) -> None:
    """The speed of each subject in one task, in a group for each batch size."""
    sizes = sorted({each.batch_size for each in measurements})
    thickness = 1 / (1 + len(colours))  # which leaves a bar's place between two groups
    places = {
        subject: (i - (len(colours) - 1) / 2) * thickness for i, subject in enumerate(colours)
    }
    bars = axes.barh(
        [sizes.index(each.batch_size) + places[each.subject] for each in measurements],
        [each.images_per_second for each in measurements],
        0.9 * thickness,
        xerr=np.transpose([_whiskers(each) for each in measurements]),
        color=[colours[each.subject] for each in measurements],
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
    """How far the speed's quartiles lie below and above that of the median."""
    spread, speed = quartiles(measurement.seconds), measurement.images_per_second
    slow, fast = (measurement.batch_size / seconds for seconds in (spread.high, spread.low))
    return speed - slow, fast - speed


def _rounded(value: float) -> str:
    """A number with three digits that count."""
    return f"{float(f'{value:.3g}'):,.10g}"


# Rooflines


def _points(layers: list[LayerMeasurement], subject: str) -> list[LayerMeasurement]:
    """What is drawn of a subject's layers: the largest batch, the fastest rate first."""
    mine = [each for each in layers if each.subject == subject]
    largest = max((each.batch_size for each in mine), default=0)
    shown = [e for e in mine if e.batch_size == largest and e.operations > 0 and e.bytes > 0]
    return sorted(shown, key=_rate, reverse=True)


def _rate(layer: LayerMeasurement) -> float:
    """Operations per second, in billions."""
    return layer.operations / layer.median / 1e9


def _intensity(layer: LayerMeasurement) -> float:
    """Operations per byte moved."""
    return layer.operations / layer.bytes


def _draw_roofline(axes: "Axes", limits: Limits, points: list[LayerMeasurement]) -> None:
    """What each layer reaches of what its operations per byte allow, on logarithmic axes."""
    ridge = limits.flops / limits.bandwidth
    left, right = _decades([ridge, *map(_intensity, points)])
    bottom, top = _decades([limits.flops / 1e9, *map(_rate, points)])
    x = np.array([left, ridge, right])
    roof = np.minimum(limits.flops, limits.bandwidth * x) / 1e9
    axes.loglog(x, roof, color="black")
    axes.fill_between(x, roof, top, color="#eeeeee")
    for layer in points:
        axes.plot(_intensity(layer), _rate(layer), "o", color=DIRECTION_COLOURS[layer.direction])
    axes.set(xlim=(left, right), ylim=(bottom, top), ylabel="GFLOP/s")
    axes.set_xlabel("operations per byte moved")
    axes.set_title(
        f"layers on {limits.subject}, batches of {points[0].batch_size:,}; the limits: "
        f"{_rounded(limits.flops / 1e9)} GFLOP/s, {_rounded(limits.bandwidth / 1e9)} GB/s"
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_formatter("")
    _label_points(axes, limits, points)


def _decades(values: list[float]) -> tuple[float, float]:
    """The powers of ten that hold all the values, with some room."""
    return 10 ** floor(log10(min(values) / 1.5)), 10 ** ceil(log10(max(values) * 1.5))


def _label_points(axes: "Axes", limits: Limits, points: list[LayerMeasurement]) -> None:
    """Name the points beside the axes, in their order from above, so that no names overlap."""
    for index, layer in enumerate(points):
        colour = DIRECTION_COLOURS[layer.direction]
        axes.annotate(
            f"{layer.layer} {layer.direction}, {layer.share(limits):.0%} of the limit",
            (_intensity(layer), _rate(layer)),
            xytext=(1.04, 1 - (index + 0.5) / len(points)),
            textcoords="axes fraction",
            verticalalignment="center",
            color=colour,
            arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.4, "relpos": (0, 0.5)},
        )
