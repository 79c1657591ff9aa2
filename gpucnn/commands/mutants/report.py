"""What became of mutants, as it is printed and kept."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gpucnn.commands.mutants.results import KINDS, LEFT, Outcome
from gpucnn.commands.terminal import new_table
from gpucnn.simulator.mutation.mutants import Mutant

if TYPE_CHECKING:
    from rich.table import Table

Outcomes = Mapping[Mutant, Outcome]


def is_left(mutant: Mutant, outcome: Outcome) -> bool:
    """Whether a mutant is one that should have been noticed."""
    return outcome.kind in LEFT and mutant.accepted is None


def gathered(outcomes: Iterable[tuple[Mutant, Outcome]]) -> dict[Mutant, Outcome]:
    """What becomes of mutants, of which those that should have been noticed are printed at once."""
    found = {}
    for mutant, outcome in outcomes:
        found[mutant] = outcome
        if is_left(mutant, outcome):
            _print_left(mutant, outcome)
    return found


def _print_left(mutant: Mutant, outcome: Outcome) -> None:
    """Print what was not noticed: its place, and the lines before and after."""
    print(f"{mutant.place}: {outcome.kind} ({mutant.operator})")
    before, after = mutant.lines
    for sign, lines in (("-", before), ("+", after)):
        for line in lines:
            print(f"  {sign} {line}")
    sys.stdout.flush()


def table_of(outcomes: Outcomes) -> "Table":
    """How many mutants of each file there are of each kind."""
    table = new_table("file", numbers=("mutants", *KINDS, "accepted"))
    for file in dict.fromkeys(mutant.part.file for mutant in outcomes):
        kinds = Counter(
            "accepted" if outcome.kind in LEFT and mutant.accepted else outcome.kind
            for mutant, outcome in outcomes.items()
            if mutant.part.file == file
        )
        counts = (kinds.total(), *(kinds[kind] for kind in (*KINDS, "accepted")))
        table.add_row(file, *(f"{count:,}" if count else "" for count in counts))
    return table


def report_of(command: Sequence[str], outcomes: Outcomes) -> dict[str, Any]:
    """What is kept as JSON, with the command that ran the tests."""
    return {
        "command": list(command),
        "mutants": [
            {
                "file": mutant.part.file,
                "line": mutant.line,
                "operator": mutant.operator,
                "old": mutant.old,
                "new": mutant.new,
                "outcome": outcome.kind,
                "reason": outcome.reason,
                "accepted": mutant.accepted,
            }
            for mutant, outcome in outcomes.items()
        ],
    }
