"""Write the generated tables into the pages: `python docs/tables.py [REPORT.json...]`.

A generated table stands between two comments of a page, `<!-- NAME -->` and `<!-- end of NAME -->`:

- `gpucnn kernels` and `gpucnn kernels --sass sm_90`, in docs/kernels.md, are what these print:
  registers and occupancy by NVRTC, and what the machine code consists of by nvdisasm;
- `floor`, there too, is computed from the launches of a step, see `gpucnn.benchmark.floor`;
- `training step, MODEL` and `inference, MODEL`, in docs/benchmarks.md and README.md, come from the
  reports given, files that `gpucnn bench --json` wrote. Without a report of their model they stay
  as they are.
"""

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

FLOOR = "floor"
PRESETS = ("notebook", "lenet")
BATCH_SIZES = (64, 1024)


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
    """A table for each task in a report, by the name of its block."""
    tasks = dict.fromkeys(each.task for each in report.measurements)
    preset = report.environment.model.split()[0]
    return {
        f"{task}, {preset}": environment(report)
        + _speed_table([each for each in report.measurements if each.task == task])
        for task in tasks
    }


def environment(report: Report) -> str:
    """A paragraph that says what was measured, on what, when."""
    stamp = report.environment
    versions = ", ".join(f"{name} {version}" for name, version in stamp.versions.items())
    return (
        f"{stamp.model} in {stamp.dtype}; {stamp.machine}; CPU threads: {stamp.threads}; "
        f"{versions}; {stamp.rounds} rounds; {stamp.date}.\n\n"
    )


def _speed_table(measurements: list[Measurement]) -> str:
    """Images per second, a row a batch size; for all but the first, the ratio of the seconds."""
    first, *others = dict.fromkeys(each.contender for each in measurements)
    found = {(each.contender, each.batch_size): each for each in measurements}
    heads = ["images", f"gpucnn ({first})"]
    for other in others:
        heads += [other, f"{other}: ratio"]
    rows = [heads]
    for size in dict.fromkeys(each.batch_size for each in measurements):
        row = [f"{size:,}", _speed(found[first, size])]
        for other in others:
            row += _compared(found.get((other, size)), found[first, size])
        rows.append(row)
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, the first row its head."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _speed(measurement: Measurement) -> str:
    return f"{measurement.images_per_second:,.0f}"


def _compared(measurement: Measurement | None, first: Measurement) -> list[str]:
    """The speed, and how many times as long it takes as the first: median and quartiles."""
    if measurement is None:
        return ["", ""]
    low, middle, high = paired_ratio(measurement.seconds, first.seconds)
    return [_speed(measurement), f"{middle:.2f} ({low:.2f} to {high:.2f})"]


def main(files: list[str]) -> None:
    """Rewrite the pages."""
    blocks = {line: printed_block(line) for line in COMMANDS} | {FLOOR: floor_block()}
    for file in files:
        blocks |= report_blocks(read_report(file))
    for page in PAGES:
        text = page.read_text()
        for name, block in blocks.items():
            text = with_block(text, name, block)
        page.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
