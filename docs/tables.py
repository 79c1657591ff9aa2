"""Write the generated tables into the pages: `python docs/tables.py [REPORT.json...]`.

A generated table stands between two comments of a page, `<!-- NAME -->` and `<!-- end of NAME -->`:

- `gpucnn kernels` and `gpucnn kernels --sass sm_90`, in docs/kernels.md, are what these print:
  registers and occupancy by NVRTC, and what the machine code consists of by nvdisasm;
- `floor`, there too, is computed from the launches of a step, see `gpucnn.benchmark.floor`;
- `training step, MODEL` and `inference, MODEL`, in docs/benchmarks.md and README.md, come from the
  reports given, files that `gpucnn bench --json` wrote, as `start-up and memory, MODEL` does. Of
  reports with OpenBLAS held to AVX2 (`OPENBLAS_CORETYPE=Haswell`) the names end in `, AVX2`. A
  block without a report of its model stays as it is. `docs/speeds.py` makes the reports.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gpucnn.benchmark.floor.step import LaunchFloor, StepFloor, step_floor
from gpucnn.benchmark.report import Measurement, Report, read_report
from gpucnn.benchmark.timing import paired_ratio

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
COMMANDS = ("gpucnn kernels", "gpucnn kernels --sass sm_90")
"""The commands whose output is a block, which has the command as its name."""

AVX2 = "Haswell"  # OpenBLAS's kernels for it, by the name that its description ends in
FLOOR = "floor"
PRESETS = ("notebook", "lenet")
BATCH_SIZES = (64, 1024)


def openblas_environment(core: str | None) -> dict[str, str]:
    """The environment of a process in which OpenBLAS uses the kernels for a core; None: its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    return kept if core is None else kept | {"OPENBLAS_CORETYPE": core}


def with_block(text: str, name: str, block: str) -> str:
    """A page with `block` in the place of every block called `name`; a page without one as it is.

    Args:
        text: of the page, Markdown.
        name: between the comments.
        block: of whole lines.
    """
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    return pattern.sub(lambda _: f"{start}{block}{end}", text)


def printed_block(line: str) -> str:
    """What a command line of gpucnn prints, as a block of code."""
    command = [sys.executable, "-m", *line.split()]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = "".join(f"{each.rstrip()}\n" for each in printed.splitlines())
    return f"```console\n$ {line}\n{lines}```\n"


def floor_block() -> str:
    """Two tables: the floors of the presets' steps, and of the kernels of each."""
    floors = {(model, size): step_floor(model, size) for model in PRESETS for size in BATCH_SIZES}
    heads = ["step", "launches", "one after another", "MB", "MFLOP", "µs to move and compute"]
    rows = [[*heads, "floor, µs"]]
    for (model, size), floor in floors.items():
        rows.append(
            [
                f"{model}, {size:,} images",
                str(len(floor.launches)),
                str(floor.chain),
                *_work(floor.launches),
                f"{floor.seconds * 1e6:.1f}",
            ]
        )
    return "\n".join([table(rows), *(_kernels_table(model, floors) for model in PRESETS)])


def _kernels_table(model: str, floors: dict[tuple[str, int], StepFloor]) -> str:
    """What the kernels of a model's step move, compute and take, a row a kernel."""
    steps = {size: floors[model, size].launches for size in BATCH_SIZES}
    heads = [model, "launches"]
    for size in steps:
        heads += [f"{size:,}: MB", "MFLOP", "µs"]
    rows = [heads]
    for kernel in dict.fromkeys(each.kernel for of in steps.values() for each in of):
        mine = [[each for each in of if each.kernel == kernel] for of in steps.values()]
        counts = dict.fromkeys(str(len(of)) for of in mine)
        rows.append(
            [f"`{kernel}`", " and ".join(counts), *(cell for of in mine for cell in _work(of))]
        )
    return table(rows)


def _work(launches: Sequence[LaunchFloor]) -> list[str]:
    """The megabytes, the millions of operations, and the microseconds of launches in all."""
    moved, computed = (
        sum(each.bytes for each in launches),
        sum(each.operations for each in launches),
    )
    seconds = sum(each.seconds for each in launches)
    return [f"{moved / 1e6:,.2f}", f"{computed / 1e6:,.1f}", f"{seconds * 1e6:,.2f}"]


def report_blocks(report: Report) -> dict[str, str]:
    """A table for each task in a report, and one of start-ups, by the names of their blocks."""
    tasks = dict.fromkeys(each.task for each in report.measurements)
    of = report.environment.model.split()[0]
    if report.environment.versions["BLAS"].endswith(AVX2):
        of += ", AVX2"
    blocks = {f"{task}, {of}": environment(report) + _speed_table(report, task) for task in tasks}
    if report.start_ups:
        blocks[f"start-up and memory, {of}"] = environment(report) + _script_table(report)
    return blocks


def environment(report: Report) -> str:
    """A paragraph that says what was measured, on what, when."""
    stamp = report.environment
    versions = ", ".join(f"{name} {version}" for name, version in stamp.versions.items())
    return (
        f"{stamp.model} in {stamp.dtype}; {stamp.machine}; CPU threads: {stamp.threads}; "
        f"{versions}; {stamp.rounds} rounds; {stamp.date}.\n\n"
    )


def _speed_table(report: Report, task: str) -> str:
    """Images per second, a row a batch size, and how many times the fastest peer's these are."""
    measurements = [each for each in report.measurements if each.task == task]
    first, *others = dict.fromkeys(each.contender for each in measurements)
    found = {(each.contender, each.batch_size): each for each in measurements}
    heads = ["images", report.label(first), *map(report.label, others)]
    rows = [[*heads, "to the fastest peer"] if others else heads]
    for size in dict.fromkeys(each.batch_size for each in measurements):
        mine, theirs = found[first, size], [found.get((other, size)) for other in others]
        row = [
            f"{size:,}",
            _speed(mine),
            *("" if each is None else _speed(each) for each in theirs),
        ]
        rows.append([*row, _least_ratio(mine, theirs)] if others else row)
    return table(rows)


def _least_ratio(mine: Measurement, theirs: Sequence[Measurement | None]) -> str:
    """The ratio of the times, round by round, of the peer where it is the least."""
    ratios = [paired_ratio(each.seconds, mine.seconds) for each in theirs if each is not None]
    low, middle, high = min(ratios, key=lambda each: each.median)
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def _script_table(report: Report) -> str:
    """Start-up, the most memory, and the training to an accuracy, a row a contender."""
    memory = {each.contender: f"{each.bytes / 1e6:,.0f}" for each in report.memory}
    reached = {each.contender: each for each in report.accuracies}
    heads = ["", "start to first step, s", "most memory, MB"]
    heads += [f"to {each.target:.0%}, s (epochs)" for each in report.accuracies[:1]]
    rows = [heads]
    for each in report.start_ups:
        row = [report.label(each.contender), f"{each.median:.2f}", memory.get(each.contender, "")]
        if each.contender in reached:
            training = reached[each.contender]
            took = f"{training.seconds:.1f} ({training.epochs})"
            row.append(took if training.is_reached else "not reached")
        rows.append(row)
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, the first row its head."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _speed(measurement: Measurement) -> str:
    return f"{measurement.images_per_second:,.0f}"


def main(files: list[str]) -> None:
    """Rewrite the pages."""
    blocks = {line: printed_block(line) for line in COMMANDS} | {FLOOR: floor_block()}
    for file in files:
        blocks |= report_blocks(read_report(file))
    write_blocks(blocks)


def write_blocks(blocks: dict[str, str]) -> None:
    """Rewrite blocks, given by name, in all pages that have them."""
    for page in PAGES:
        text = page.read_text()
        for name, block in blocks.items():
            text = with_block(text, name, block)
        page.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
