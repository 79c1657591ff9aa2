import sys
from pathlib import Path

import pytest

from expect import refusal
from gpucnn.errors import InvalidFileError, MissingExtraError
from gpucnn.utils.plots import check_plot, write_figure

pytest.importorskip("matplotlib")


def test_a_figure_is_written(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    path = tmp_path / "figure.png"
    check_plot(path)
    assert list(tmp_path.iterdir()) == []
    write_figure(path, Figure())
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    with refusal(f"the plot's file is {str(path)!r}: give a name that ends in .png"):
        check_plot(path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="there is no folder"):
        check_plot(tmp_path / "plots" / "report.png")


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = "a plot needs Matplotlib, which is not installed: pip install 'gpucnn[plot]'"
    with refusal(line, MissingExtraError):
        check_plot(tmp_path / "figure.png")
