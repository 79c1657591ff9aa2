"""Run the notebook of the docs, and write it with its outputs: `python docs/run_notebook.py`.

Its source is docs/notebook/gpucnn.md, Markdown with cells of Python, which jupytext pairs with
docs/notebook/gpucnn.ipynb. A cell that fails ends this with the cell's error, and the file stays as
it was.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

from gpucnn.utils.storage.files import write_bytes

NOTEBOOK = Path(__file__).parent / "notebook" / "gpucnn.ipynb"
SOURCE = NOTEBOOK.with_suffix(".md")


def read_source() -> Any:
    """The notebook without outputs, whose cells are numbered rather than named at random."""
    notebook = jupytext.read(SOURCE)
    for number, cell in enumerate(notebook.cells):
        cell.id = str(number)
    return notebook


def run(notebook: Any) -> None:
    """Run a notebook, in an empty folder, and put the outputs into it.

    Raises:
        CellExecutionError: a cell fails.
    """
    with TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            extra_arguments=["--log-level=ERROR"],
            record_timing=False,
            coalesce_streams=True,
        )
        client.execute(cwd=folder)
    notebook.metadata["language_info"] = {"name": "python"}  # not the version that ran it


def main() -> None:
    """Write the notebook anew."""
    notebook = read_source()
    run(notebook)
    write_bytes(NOTEBOOK, nbformat.writes(notebook).encode())


if __name__ == "__main__":
    main()
