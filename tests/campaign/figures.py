"""What all campaigns share: their options, and the figures that each leaves."""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

SHOWN = 20  # failures that are printed


@dataclass
class Figures:
    """What a campaign has found.

    Args:
        campaign: its name.
        cases: how many it has tried.
        measured: what it counts or measures, by what that is.
        failures: a line for each case that did not end as it should.
    """

    campaign: str
    cases: int = 0
    measured: dict[str, int | float | str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seed: int = 0
    seconds: float = 0

    def check(self, good: bool, case: str) -> None:
        """Note a case, which has failed if it is not `good`."""
        self.cases += 1
        if not good:
            self.failures.append(case)


Campaign = Callable[[int, int, Path], Figures]
"""Of a count of cases, a seed, and an empty folder."""


def main(description: str | None, count: int, run: Campaign) -> int:
    """Run a campaign by its command line; the exit status, 1 if a case has failed."""
    parser = ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=count, help=f"of cases (default: {count})")
    parser.add_argument("--seed", type=int, default=0, help="of what is by chance (default: 0)")
    parser.add_argument("--json", type=Path, help="the file to write the figures to")
    given = parser.parse_args()
    started = time.monotonic()
    with TemporaryDirectory() as folder:
        figures = run(given.count, given.seed, Path(folder))
    figures.seed, figures.seconds = given.seed, round(time.monotonic() - started, 1)
    if given.json:
        given.json.write_text(json.dumps(asdict(figures), indent=2) + "\n")
    _tell(figures)
    return int(bool(figures.failures))


def _tell(figures: Figures) -> None:
    for failure in figures.failures[:SHOWN]:
        print(f"FAILED  {failure}")
    for name, value in figures.measured.items():
        print(f"{name}: {value}")
    print(
        f"{figures.campaign}: {figures.cases} cases, {len(figures.failures)} failures, "
        f"{figures.seconds} s",
        file=sys.stdout,
    )
