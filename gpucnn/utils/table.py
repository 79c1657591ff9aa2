"""Tables: printed by Rich, and as HTML for notebooks."""

from collections.abc import Sequence
from html import escape
from itertools import repeat
from typing import Literal, NamedTuple

Cell = str | int
"""A text, of one line or more; or a whole number, which is set to the right."""


class Table(NamedTuple):
    """A table of texts and numbers.

    Attributes:
        title: above it.
        headings: one a column.
        rows: a cell a column each; those of a column are all texts or all numbers.
        totals: the last row; none if it is empty.
        note: below it, or None.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    totals: Sequence[Cell] = ()
    note: str | None = None

    def print(self) -> None:
        """Print it on standard output, as wide as the terminal allows."""
        from rich import table  # imported here: `import gpucnn` stays light
        from rich.console import Console
        from rich.text import Text  # in which brackets are no markup

        note = None if self.note is None else Text(self.note)
        shown = table.Table(title=Text(self.title), caption=note, show_footer=bool(self.totals))
        totals = self.totals or [""] * len(self.headings)
        for heading, total in zip(self.headings, totals, strict=True):
            # folded: of names that are cut off, those of two layers may look alike
            shown.add_column(heading, Text(_shown(total)), justify=_side(total), overflow="fold")
        for row in self.rows:
            shown.add_row(*(Text(_shown(cell)) for cell in row))
        Console().print(shown)

    def to_html(self) -> str:
        """The table in whatever colours the page has, dark or light.

        Styles are attributes, since what shows notebooks in the web takes out style sheets.
        """
        sides = map(_side, self.rows[0] if self.rows else self.headings)
        head = "".join(map(_html, repeat("th"), self.headings, sides))
        body = "".join(_html_row("td", each) for each in self.rows)
        foot = f"<tfoot>{_html_row('th', self.totals)}</tfoot>" if self.totals else ""
        style = "text-align:left;white-space:nowrap"
        caption = f'<caption style="{style}">{_html_text(self.title)}</caption>'
        note = "" if self.note is None else f"<p>{_html_text(self.note)}</p>"
        return (
            f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table>"
            f"{note}"
        )


def _shown(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, int) else cell


def _side(cell: Cell) -> Literal["left", "right"]:
    return "right" if isinstance(cell, int) else "left"


def _html_row(tag: str, cells: Sequence[Cell]) -> str:
    return f"<tr>{''.join(_html(tag, each, _side(each)) for each in cells)}</tr>"


def _html(tag: str, cell: Cell, side: str) -> str:
    return f'<{tag} style="text-align:{side}">{_html_text(_shown(cell))}</{tag}>'


def _html_text(text: str) -> str:
    return escape(text).replace("\n", "<br>")
