"""`gpucnn notebook`: compute the notebook's figures and compare them with the published ones."""

import typer
from rich.console import Console
from rich.table import Table

from gpucnn.notebook.figures import reproduce


def notebook() -> None:
    """Compute the figures that the notebook printed; exit 0 only if all agree to the last digit."""
    rows = reproduce()
    table = Table(title="The notebook's network: what it printed, and what comes out here")
    table.add_column("")
    for heading in ("accuracy %", "here", "average loss", "here"):
        table.add_column(heading, justify="right")
    for row in rows:
        accuracy, loss = zip(row.published, row.computed, strict=True)
        table.add_row(row.what, *accuracy, *loss)
    Console().print(table)
    agreeing, figures = sum(row.agreeing for row in rows), 2 * len(rows)
    print(f"{agreeing} of {figures} figures agree to the printed digit")
    if agreeing < figures:
        raise typer.Exit(1)
