"""The tables that `gpucnn bench` prints: a report, or a comparison of two reports."""

from rich.table import Table

from gpucnn.benchmark.report import (
    Environment,
    KernelMeasurement,
    LayerMeasurement,
    Measurement,
    Report,
    Roofline,
)
from gpucnn.benchmark.report.comparison import Change, Comparison, Figure
from gpucnn.benchmark.timing import paired_ratio
from gpucnn.commands.tables.scaling import scaling_tables
from gpucnn.commands.tables.spread import spread
from gpucnn.commands.terminal import new_table, print_table


def print_report(report: Report) -> None:
    """Print the environment and all measurements of a report."""
    _print_environment(report.environment)
    _section("paid once, and part of nothing below", _preparations(report))
    _section("the most a device does, a CPU with one thread", _rooflines(report))
    _section(_what_is_measured(report.measurements), _measurements(report))
    for roofline in report.rooflines:
        layers = [each for each in report.layers if each.contender == roofline.contender]
        _print_layers(roofline, layers)
    print_kernels(report.kernels)
    _section("training to an accuracy on the test images, evaluations apart", _accuracies(report))
    _section("from the start of a process to the end of its first step", _start_ups(report))
    _section("the most memory of a process that trains", _memory(report))
    for heading, table in scaling_tables(report):
        _section(heading, table)


def _section(heading: str, table: Table) -> None:
    """Print a table below its heading, unless it has no rows."""
    if table.row_count:
        print(f"\n{heading}")
        print_table(table)


def _print_environment(environment: Environment) -> None:
    print(
        f"{environment.model} in {environment.dtype}, CPU threads: {environment.threads}, "
        f"rounds: {environment.rounds}, {environment.date}"
    )
    print(environment.machine)
    for name, description in environment.devices.items():
        print(f"{name} is {description}")
    print(", ".join(f"{name} {version}" for name, version in environment.versions.items()))


def _preparations(report: Report) -> Table:
    table = new_table("", "", numbers=("s",))
    for each in report.preparations:
        table.add_row(report.label(each.contender), each.what, f"{each.seconds:.2f}")
    return table


def _rooflines(report: Report) -> Table:
    table = new_table("", numbers=("GFLOP/s", "GB/s"))
    for each in report.rooflines:
        table.add_row(each.contender, f"{each.flops / 1e9:,.1f}", f"{each.bandwidth / 1e9:,.1f}")
    return table


def _are_compared(measurements: list[Measurement]) -> bool:
    return len({each.contender for each in measurements}) > 1


def _what_is_measured(measurements: list[Measurement]) -> str:
    """The heading of the measurements, which explains their columns."""
    spread = (
        "a batch: median and spread of the rounds (spread: from the first quartile to the third)"
    )
    ratio = (
        "(ratio: how many times as long as the first takes, round by round; median and quartiles)"
    )
    return f"{spread}\n{ratio}" if _are_compared(measurements) else spread


def _measurements(report: Report) -> Table:
    measurements = report.measurements
    ratios = ("ratio", "lower", "upper") if _are_compared(measurements) else ()
    table = new_table("", "", "", numbers=("images/s", "ms", "spread", *ratios))
    baselines: dict[tuple[str, int], Measurement] = {}
    for each in measurements:
        baseline = baselines.setdefault((each.task, each.batch_size), each)
        table.add_row(
            each.task,
            f"{each.batch_size:,} images",
            report.label(each.contender),
            f"{each.images_per_second:,.0f}",
            f"{each.median * 1e3:,.3f}",
            spread(each.seconds),
            *([] if baseline is each else _ratio(each, baseline)),
        )
    return table


def _ratio(each: Measurement, baseline: Measurement) -> list[str]:
    low, middle, high = paired_ratio(each.seconds, baseline.seconds)
    return [f"{ratio:.2f}" for ratio in (middle, low, high)]


def _print_layers(roofline: Roofline, layers: list[LayerMeasurement]) -> None:
    """Print a table of the layers of one device for each batch size."""
    for size in dict.fromkeys(each.batch_size for each in layers):
        heading = f"layers on {roofline.contender}, {size:,} images (share: of the limit)"
        _section(heading, _layers(roofline, [each for each in layers if each.batch_size == size]))


def _layers(roofline: Roofline, layers: list[LayerMeasurement]) -> Table:
    table = new_table("", "", numbers=("us", "spread", "MFLOP", "MB", "GFLOP/s", "GB/s", "share"))
    for each in layers:
        table.add_row(
            each.layer,
            each.direction,
            f"{each.median * 1e6:,.1f}",
            spread(each.seconds),
            *_costs(each.median, each.operations, each.bytes),
            f"{each.share(roofline):.0%}",
        )
    seconds = sum(each.median for each in layers)
    least = sum(each.least_seconds(roofline) for each in layers)
    operations = sum(each.operations for each in layers)
    costs = _costs(seconds, operations, sum(each.bytes for each in layers))
    table.add_row("all layers", "", f"{seconds * 1e6:,.1f}", "", *costs, f"{least / seconds:.0%}")
    return table


def print_kernels(kernels: list[KernelMeasurement]) -> None:
    """Print a table of the launches of a step for each device and batch size."""
    for contender, size in dict.fromkeys((each.contender, each.batch_size) for each in kernels):
        mine = [each for each in kernels if (each.contender, each.batch_size) == (contender, size)]
        heading = (
            f"the {len(mine)} launches of a training step on {contender}, {size:,} images\n"
            "(GFLOP/s and GB/s: of all launches of the part)"
        )
        _section(heading, _kernels(mine))


def _kernels(kernels: list[KernelMeasurement]) -> Table:
    table = new_table("", "", "grid", numbers=("threads", "us", "GFLOP/s", "GB/s"))
    shown: set[str] = set()
    for each in kernels:
        is_first = each.part not in shown
        shown.add(each.part)
        of_part = [other.median for other in kernels if other.part == each.part]
        rates = _costs(sum(of_part), each.operations, each.bytes)[2:]
        table.add_row(
            each.part,
            each.kernel,
            each.grid,
            str(each.threads),
            f"{each.median * 1e6:,.2f}",
            *(rates if each.part and is_first else []),
        )
    table.add_row("all launches", "", "", "", f"{sum(e.median for e in kernels) * 1e6:,.2f}")
    return table


def _costs(seconds: float, operations: int, moved: int) -> list[str]:
    """Operations and bytes moved in millions, then both per second in billions."""
    rates = (operations / seconds / 1e9, moved / seconds / 1e9)
    return [f"{operations / 1e6:,.2f}", f"{moved / 1e6:,.2f}", *(f"{rate:,.1f}" for rate in rates)]


def _accuracies(report: Report) -> Table:
    table = new_table("", numbers=("wanted", "reached", "epochs", "s"))
    for each in report.accuracies:
        reached = f"{each.accuracy:.2%}"
        table.add_row(
            report.label(each.contender),
            f"{each.target:.2%}",
            reached,
            str(each.epochs),
            f"{each.seconds:.2f}",
        )
    return table


def _start_ups(report: Report) -> Table:
    table = new_table("", "", numbers=("s",))
    for each in report.start_ups:
        table.add_row(
            report.label(each.contender), f"{each.batch_size:,} images", f"{each.median:.2f}"
        )
    return table


def _memory(report: Report) -> Table:
    table = new_table("", "", numbers=("MB",))
    for each in report.memory:
        table.add_row(
            report.label(each.contender), f"{each.batch_size:,} images", f"{each.bytes / 1e6:,.1f}"
        )
    return table


def print_comparison(comparison: Comparison, tolerance: float) -> None:
    """Print the changes beyond noise, the figures that cannot be compared, and the regressions.

    Args:
        comparison: of two reports.
        tolerance: the relative increase, of time or memory, that is no regression.
    """
    for difference in comparison.differences:
        print(f"warning: the reports differ in {difference}")
    for figure in comparison.only_old:
        print(f"only in the old report: {figure}")
    for figure in comparison.only_new:
        print(f"only in the new report: {figure}")
    shown = [each for each in comparison.changes if each.is_beyond_noise or each.interval is None]
    _section(
        "what changed (ratio: new to old, with its interval of 95 %; above 1: slower or larger)",
        _changes(shown, tolerance),
    )
    print(f"\n{len(comparison.changes) - len(shown)} other figures are the same but for noise")
    for before, after in comparison.lost:
        print(
            f"{after.contender} no longer reaches {before.target:.2%}: {after.accuracy:.2%} after "
            f"{after.epochs} epochs"
        )
    worse = len(comparison.regressions(tolerance)) + len(comparison.lost)
    print(f"regressions beyond {100 * tolerance:g} %: {worse or 'none'}")


def _changes(changes: list[Change], tolerance: float) -> Table:
    table = new_table("", numbers=("old", "new", "ratio", "lower", "upper", ""))
    for each in changes:
        interval = [f"{end:.3f}" for end in each.interval or ()] or ["", ""]
        table.add_row(
            str(each.figure),
            _amount(each.figure, each.old),
            _amount(each.figure, each.new),
            f"{each.ratio:.3f}",
            *interval,
            _verdict(each, tolerance),
        )
    return table


def _amount(figure: Figure, value: float) -> str:
    """A figure's value with its unit."""
    if figure.what == "peak memory":
        return f"{value / 1e6:,.1f} MB"
    return f"{value:,.2f} s" if value >= 1 else f"{value * 1e3:,.3f} ms"


def _verdict(change: Change, tolerance: float) -> str:
    if change.interval is None:
        return "noise unknown"
    if change.ratio < 1:
        return "better"
    return "regression" if change.is_regression(tolerance) else "worse, tolerated"
