"""The notebook of the docs: what is committed is its source, run, and it still runs."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import run_notebook
from gpucnn.notebook.figures import EPOCHS, FORWARD

MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def committed() -> Any:
    return nbformat.read(run_notebook.NOTEBOOK, as_version=4)


def outputs(notebook: Any) -> list[Any]:
    return [each for cell in notebook.cells for each in cell.get("outputs", [])]


def figures(notebook: Any) -> list[tuple[str, str]]:
    """Accuracy and loss of each line that tells them as the old notebook did."""
    printed = "".join(each.get("text", "") for each in outputs(notebook))
    return re.findall(r"^Accuracy:(\S+), Avg Loss: (\S+)$", printed, re.MULTILINE)


OLD = [FORWARD, *EPOCHS, FORWARD]  # the latter by the kernels


def test_its_cells_are_those_of_the_source(committed: Any) -> None:
    assert [(each.cell_type, each.source) for each in committed.cells] == [
        (each.cell_type, each.source) for each in run_notebook.read_source().cells
    ]


def test_it_has_the_old_notebooks_figures(committed: Any) -> None:
    assert figures(committed) == OLD


def test_every_cell_was_run_in_order_and_without_an_error(committed: Any) -> None:
    counts = [each.execution_count for each in committed.cells if each.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert {each.output_type for each in outputs(committed)} == {
        *("stream", "display_data", "execute_result")
    }
    assert all(each.name == "stdout" for each in outputs(committed) if "name" in each)


def test_it_can_be_read_on_a_forge(committed: Any) -> None:
    """Which shows PNG, HTML without scripts, and plain text."""
    kinds = {kind for each in outputs(committed) for kind in each.get("data", {})}
    assert kinds == {"image/png", "text/html", "text/plain"}
    text = run_notebook.NOTEBOOK.read_text()
    assert len(text) < MOST_BYTES
    for unwanted in ("\\u001b", str(Path.home()), "/tmp/", "site-packages", "<script", "widget"):
        assert unwanted not in text


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = run_notebook.read_source()
    run_notebook.run(notebook)
    assert figures(notebook) == OLD


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)\s#]+)\)", run_notebook.SOURCE.read_text()):
        assert (run_notebook.SOURCE.parent / link).is_file(), link
