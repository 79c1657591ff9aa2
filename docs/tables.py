"""Write the generated tables into the pages: `python docs/tables.py [REPORT.json...]`.

A generated table stands between two comments of a page, `<!-- NAME -->` and `<!-- end of NAME -->`:

- `gpucnn kernels` and `gpucnn kernels --sass sm_90`, in docs/kernels.md, are what these print:
  registers and occupancy by NVRTC, and what the machine code consists of by nvdisasm;
- `training step, MODEL` and `inference, MODEL`, in docs/benchmarks.md and README.md, come from the
  reports given, files that `gpucnn bench --json` wrote. Without a report of their model they stay
  as they are.
"""

import re
import subprocess
import sys
from pathlib import Path

from gpucnn.benchmark.report import Measurement, Report, read_report
from gpucnn.benchmark.timing import paired_ratio

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
COMMANDS = ("gpucnn kernels", "gpucnn kernels --sass sm_90")
"""The commands whose output is a block, which has the command as its name."""


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


def report_blocks(report: Report) -> dict[str, str]:
    """A table for each task in a report, by the name of its block."""
    tasks = dict.fromkeys(each.task for each in report.measurements)
    preset = report.environment.model.split()[0]
    return {
        f"{task}, {preset}": _environment(report)
        + _speed_table([each for each in report.measurements if each.task == task])
        for task in tasks
    }


def _environment(report: Report) -> str:
    """A paragraph that says what was measured, on what, when."""
    environment = report.environment
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    return (
        f"{environment.model} in {environment.dtype}; {environment.machine}; "
        f"CPU threads: {environment.threads}; {versions}; {environment.rounds} rounds; "
        f"{environment.date}.\n\n"
    )


def _speed_table(measurements: list[Measurement]) -> str:
    """Images per second, a row a batch size; for all but the first, the ratio of the seconds."""
    first, *others = dict.fromkeys(each.contender for each in measurements)
    found = {(each.contender, each.batch_size): each for each in measurements}
    heads = ["images", f"gpucnn ({first})"]
    for other in others:
        heads += [other, f"{other}: ratio"]
    rows = [heads, ["---"] * len(heads)]
    for size in dict.fromkeys(each.batch_size for each in measurements):
        row = [f"{size:,}", _speed(found[first, size])]
        for other in others:
            row += _compared(found.get((other, size)), found[first, size])
        rows.append(row)
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


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
    blocks = {line: printed_block(line) for line in COMMANDS}
    for file in files:
        blocks |= report_blocks(read_report(file))
    for page in PAGES:
        text = page.read_text()
        for name, block in blocks.items():
            text = with_block(text, name, block)
        page.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
