"""A notebook of Jupyter that is run cell by cell, and what each of its cells shows."""

from typing import Any, NamedTuple

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook


class Shown(NamedTuple):
    """The outputs of a cell, and all that they showed in its course, by their types."""

    outputs: list[Any]
    in_its_course: list[dict[str, str]]


class _Watched(NotebookClient):
    """Keeps what cells show, also where that is replaced."""

    def __init__(self, notebook: Any) -> None:
        quiet = ["--log-level=ERROR"]
        super().__init__(
            notebook, kernel_name="python3", extra_arguments=quiet, coalesce_streams=True
        )
        self.shown: list[list[dict[str, str]]] = [[] for _ in notebook.cells]

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        if "data" in msg["content"]:
            self.shown[cell_index].append(msg["content"]["data"])
        return super().process_message(msg, cell, cell_index)


def watch(cells: dict[str, str]) -> dict[str, Shown]:
    """What each of some cells shows, by its name."""
    notebook = new_notebook(cells=[new_code_cell(each) for each in cells.values()])
    client = _Watched(notebook)
    client.execute()
    shown = zip([each.outputs for each in notebook.cells], client.shown, strict=True)
    return {name: Shown(*each) for name, each in zip(cells, shown, strict=True)}
