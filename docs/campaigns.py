"""Write the figures of campaigns into docs/reliability.md: `python docs/campaigns.py FILE.json...`.

The files are those that `--json` of the campaigns in tests/campaign writes.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tables import ROOT, with_block

PAGE = ROOT / "docs" / "reliability.md"
BLOCK = "figures"

Figures = dict[str, Any]
"""The fields of `Figures` in tests/campaign/figures.py."""


def table(found: list[Figures]) -> str:
    """A row for each campaign."""
    head = "| campaign | cases | failures | seconds | seed | |\n"
    return f"{head}{'| --- ' * 6}|\n" + "".join(
        f"| {each['campaign']} | {each['cases']:,} | {len(each['failures'])} | "
        f"{each['seconds']:g} | {each['seed']} | {_measured(each)} |\n"
        for each in found
    )


def _measured(figures: Figures) -> str:
    return "; ".join(f"{name}: {value}" for name, value in figures["measured"].items())


def main(files: list[str]) -> None:
    """Rewrite the page."""
    found = [json.loads(Path(file).read_text()) for file in files]
    PAGE.write_text(with_block(PAGE.read_text(), BLOCK, table(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
