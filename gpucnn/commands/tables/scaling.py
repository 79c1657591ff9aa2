"""The tables that `gpucnn bench --ranks` prints."""

from collections.abc import Iterator

from rich.table import Table

from gpucnn.benchmark.report import AllReduceMeasurement, RankMeasurement, Report
from gpucnn.benchmark.scaling import Link, Scaled, alone, fit_all, scaled
from gpucnn.benchmark.timing import paired_ratio, quartiles
from gpucnn.commands.tables.spread import spread
from gpucnn.commands.terminal import new_table

Links = dict[tuple[str, int], Link]

STEPS = """\
a training step on ranks of one worker, and on one rank of as many workers, each a process
(speed-up: over one rank of one worker on the same batch; efficiency: a step of such a rank on its
part of the batch, as a share of the step; round by round, median and quartiles)
(model: a step of such a rank on its part, and the all-reduce by the links below)"""

ALL_REDUCES = """\
the all-reduce of the gradients in a step: µs of rank 0, and their share of the step
(exchange: of each call the time of the rank that waits least for the others, and its model)"""

LINKS = "links between ranks: the model of an all-reduce"
ALONE = "all-reduces by themselves, and the model of them"


def scaling_tables(report: Report) -> Iterator[tuple[str, Table]]:
    """The tables of a report's ranks with their headings; without rows if there are none."""
    links, steps = fit_all(report.all_reduces), scaled(report.ranks)
    single = [each for each in report.ranks if each.ranks == each.workers == 1]
    yield STEPS, _steps(single, steps, links)
    yield ALL_REDUCES, _in_steps(steps, links)
    yield LINKS, _links(links)
    yield ALONE, _alone(report.all_reduces, links)


def _steps(single: list[RankMeasurement], steps: list[Scaled], links: Links) -> Table:
    ratios = ("speed-up", "", "efficiency", "")
    table = new_table("", "", "", "", numbers=("images/s", "ms", "spread", *ratios, "model, ms"))
    for by_itself in single:
        table.add_row(*_step(by_itself))
    for each in steps:
        pairs = each.same_batch, each.same_part
        gains = [cell for other in pairs for cell in _ratio(other, each.step)]
        link = links.get(_key(each.step))
        model = "" if link is None else f"{each.model(link) * 1e3:,.3f}"
        table.add_row(*_step(each.step), *gains, model)
    return table


def _step(step: RankMeasurement) -> list[str]:
    return [
        step.contender,
        _counted(step.ranks, "rank"),
        _counted(step.workers, "worker"),
        f"{step.batch_size:,} images",
        f"{step.images_per_second:,.0f}",
        f"{step.median * 1e3:,.3f}",
        spread(step.seconds),
    ]


def _ratio(other: RankMeasurement, step: RankMeasurement) -> list[str]:
    low, middle, high = paired_ratio(other.seconds, step.seconds)
    return [f"{middle:.2f}", f"{low:.2f}..{high:.2f}"]


def _in_steps(steps: list[Scaled], links: Links) -> Table:
    table = new_table(
        "", "", "", numbers=("KB", "µs", "share", "spread", "exchange", "spread", "model")
    )
    for each, step in ((each, each.step) for each in steps if each.step.ranks > 1):
        held, exchange = quartiles(step.held).median, quartiles(step.exchange).median
        table.add_row(
            step.contender,
            _counted(step.ranks, "rank"),
            f"{step.batch_size:,} images",
            f"{step.bytes / 1e3:,.1f}",
            f"{held * 1e6:,.1f}",
            f"{held / step.median:.0%}",
            spread(step.held),
            f"{exchange * 1e6:,.1f}",
            spread(step.exchange),
            f"{each.all_reduce(links[_key(step)]) * 1e6:,.1f}",
        )
    return table


def _links(links: Links) -> Table:
    table = new_table("", "", numbers=("µs an exchange", "GB/s"))
    for (device, ranks), link in links.items():
        latency, bandwidth = link.latency * 1e6, link.bandwidth / 1e9
        table.add_row(device, _counted(ranks, "rank"), f"{latency:,.1f}", f"{bandwidth:,.2f}")
    return table


def _alone(all_reduces: list[AllReduceMeasurement], links: Links) -> Table:
    table = new_table("", "", numbers=("KB", "µs", "spread", "model"))
    for each in all_reduces:
        table.add_row(
            each.contender,
            _counted(each.ranks, "rank"),
            f"{each.bytes / 1e3:,.1f}",
            f"{each.median * 1e6:,.1f}",
            spread(each.seconds),
            f"{links[_key(each)].seconds(alone(each)) * 1e6:,.1f}",
        )
    return table


def _key(each: RankMeasurement | AllReduceMeasurement) -> tuple[str, int]:
    return each.contender, each.ranks


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"
