"""The table that `gpucnn sweep` prints."""

from collections.abc import Sequence

from rich.table import Table

from gpucnn.commands.sweeps.result import Result, Spread, spread
from gpucnn.commands.terminal import new_table, print_table
from gpucnn.errors import printable

FORMATS = {"val_accuracy": "{:.2%}", "val_loss": "{:.4f}", "seconds": "{:.1f}"}
"""The columns, which are attributes of `Result`, and how their numbers are printed."""


def print_results(results: Sequence[Result]) -> None:
    """Print the result of each training, then their mean, spread, minimum and maximum."""
    table = new_table("seed", numbers=tuple(FORMATS))
    succeeded = [result for result in results if result.failure is None]
    if len(succeeded) < len(results):
        table.add_column("")
    for result in results:
        _add_result(table, result)
    if succeeded:
        _add_spreads(table, succeeded)
    print_table(table)


def _add_result(table: Table, result: Result) -> None:
    if result.failure is None:
        cells = [text.format(getattr(result, name)) for name, text in FORMATS.items()]
        table.add_row(str(result.seed), *cells)
    else:
        reason = f"failed: {printable(result.failure, 100)}"
        table.add_row(str(result.seed), *[""] * len(FORMATS), reason)


def _add_spreads(table: Table, results: Sequence[Result]) -> None:
    spreads = {name: spread([getattr(each, name) for each in results]) for name in FORMATS}
    table.add_row()
    for heading in Spread._fields:
        values = {name: getattr(each, heading) for name, each in spreads.items()}
        cells = [
            "" if value is None else FORMATS[name].format(value) for name, value in values.items()
        ]
        table.add_row(heading, *cells)
