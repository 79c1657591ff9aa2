import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.example import REPORT
from expect import refusal
from gpucnn.benchmark.report import Report
from gpucnn.benchmark.report.plot import draw, write_plot
from gpucnn.errors import MissingExtraError

pytest.importorskip("matplotlib")


def test_it_is_a_png(tmp_path: Path) -> None:
    write_plot(tmp_path / "report.png", REPORT)
    (file,) = tmp_path.iterdir()
    assert file.name == "report.png"
    assert file.read_bytes().startswith(b"\x89PNG")


def texts(report: Report) -> list[str]:
    """All that is written in the picture."""
    from matplotlib.text import Text

    figure = draw(report)
    figure.draw_without_rendering()
    found: list[Any] = figure.findobj(Text)
    return [text.get_text() for text in found if text.get_text()]


def test_it_says_what_was_measured_on_what() -> None:
    written = "\n".join(texts(REPORT))
    assert "notebook in float32, CPU threads: 2, rounds: 11" in written
    assert REPORT.environment.machine in written


def test_a_bar_for_each_contender_in_each_task() -> None:
    written = texts(REPORT)
    for text in (
        "training step",
        "inference",
        "gpucnn (cpu)",
        "torch",
        "64,000",
        "32,000",
        "160,000",
    ):
        assert text in written


def test_a_point_for_each_direction_of_a_layer_that_computes() -> None:
    labels = [text for text in texts(REPORT) if text.endswith("of the limit")]
    assert labels == [
        "conv2d forward, 50% of the limit",
        "conv2d backward, 25% of the limit",
    ]


def test_points_lie_where_their_costs_say() -> None:
    axes = draw(REPORT).axes[-1]
    roof, *points = (np.array(line.get_xydata()) for line in axes.lines)
    np.testing.assert_allclose(roof, [(1, 10), (10, 100), (100, 100)])
    np.testing.assert_allclose(np.concatenate(points), [(10, 50), (8, 20)])


def test_the_largest_batch_is_drawn() -> None:
    larger = replace(REPORT.layers[0], batch_size=256)
    written = texts(replace(REPORT, layers=[*REPORT.layers, larger]))
    assert sum(text.endswith("of the limit") for text in written) == 1
    assert any("batches of 256" in text for text in written)


def test_a_roofline_for_each_device_with_layers() -> None:
    on_gpu = [replace(layer, contender="cuda") for layer in REPORT.layers]
    assert len(draw(replace(REPORT, layers=REPORT.layers + on_gpu)).axes) == 4
    assert len(draw(REPORT).axes) == 3


def test_labels_do_not_overlap() -> None:
    from matplotlib.text import Text

    names = [f"dense_{i}" for i in range(12)]
    layers = [replace(each, layer=name) for name in names for each in REPORT.layers[:2]]
    figure = draw(replace(REPORT, layers=layers))
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(each) for each in figure.axes[-1].texts]  # without the lines
    assert len(boxes) == 24
    for above, below in pairwise(boxes):
        assert above.y0 >= below.y1
    assert max(box.x1 for box in boxes) <= figure.bbox.x1


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = "a plot needs Matplotlib, which is not installed: pip install 'gpucnn[plot]'"
    with refusal(line, MissingExtraError):
        write_plot(tmp_path / "report.png", REPORT)
    assert list(tmp_path.iterdir()) == []
