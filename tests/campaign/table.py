"""Write figures into docs/reliability.md: `python -m campaign.table FILE.json...`.

To be started in `tests/`, with what the campaigns' `--json` has left.
"""

import json
import sys
from pathlib import Path

from campaign.figures import Figures

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
START, END = "<!-- figures -->\n", "<!-- end of figures -->\n"


def with_table(text: str, found: list[Figures]) -> str:
    """A document with a table of the figures in the place of the one that it has."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{_table(found)}{END}{after}"


def _table(found: list[Figures]) -> str:
    head = "| campaign | cases | failures | seconds | seed | |\n"
    return f"{head}{'| --- ' * 6}|\n" + "".join(
        f"| {each.campaign} | {each.cases:,} | {len(each.failures)} | {each.seconds:g} | "
        f"{each.seed} | {_measured(each)} |\n"
        for each in found
    )


def _measured(figures: Figures) -> str:
    return "; ".join(f"{name}: {value}" for name, value in figures.measured.items())


def main(files: list[str]) -> None:
    """Rewrite the document."""
    found = [Figures(**json.loads(Path(file).read_text())) for file in files]
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), found))


if __name__ == "__main__":
    main(sys.argv[1:])
