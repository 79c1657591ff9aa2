"""Tables as the commands print them: columns under headings, without lines between them."""

from rich.console import Console
from rich.table import Table


def new_table(*texts: str, numbers: tuple[str, ...]) -> Table:
    """An empty table with columns of texts, then of numbers, under these headings."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, collapse_padding=True)
    for heading in texts:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def print_table(table: Table) -> None:
    """Print a table whole, however narrow the terminal."""
    console = Console(markup=False, emoji=False)  # cells are text, whoever wrote it
    whole = console.measure(table, options=console.options.update(width=1000)).maximum
    console.width = max(console.width, whole)
    console.print(table)
