import sys
from typing import Any

import numpy as np
import pytest

import small
from gpucnn.errors import GpucnnError, InvalidValueError
from gpucnn.models import History
from gpucnn.models.pictures.curves import Trainings, draw_history, draw_trainings


def record(epoch: int, value: float, **more: Any) -> dict[str, Any]:
    """That of an epoch whose loss is `value`, its accuracy a tenth of it."""
    mine = {"loss": value, "accuracy": value / 10}
    of_validation = {f"val_{name}": number + 0.5 for name, number in mine.items()}
    return {"epoch": epoch, **mine, "seconds": 9.0, "images_per_second": 9, **of_validation, **more}


def records(*values: float) -> list[dict[str, Any]]:
    return [record(number, value) for number, value in enumerate(values, 1)]


def points(axes: Any) -> dict[str, list[tuple[float, float]]]:
    """The points of each line by its label."""
    return {each.get_label(): list(map(tuple, each.get_xydata())) for each in axes.lines}


def legend(figure: Any) -> list[str]:
    return [each.get_text() for each in figure.legends[0].get_texts()]


def ticks(figure: Any, axis: str, panel: int = 0) -> list[str]:
    figure.draw_without_rendering()
    axes = figure.axes[panel]
    low, high = sorted(axes.get_xlim() if axis == "x" else axes.get_ylim())
    labelled = getattr(axes, f"get_{axis}ticklabels")()
    places = getattr(axes, f"get_{axis}ticks")()
    shown = zip(places, labelled, strict=True)
    return [text.get_text() for place, text in shown if low <= place <= high]


# A single training


def test_loss_and_accuracy_are_drawn_by_epoch() -> None:
    figure = History(records(2, 1, 0.5)).plot()
    loss, accuracy = figure.axes
    during, after = "training, during the epoch", "validation, after the epoch"
    assert points(loss) == {
        during: [(1, 2), (2, 1), (3, 0.5)],
        after: [(1, 2.5), (2, 1.5), (3, 1)],
    }
    assert points(accuracy)[during] == [(1, 0.2), (2, 0.1), (3, 0.05)]
    assert legend(figure) == [during, after]
    assert loss.get_title() == "loss\n1 in validation after epoch 3"
    assert accuracy.get_title() == "accuracy\n55.00% in validation after epoch 3"
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("epoch", "loss")
    assert ticks(figure, "x") == ["1", "2", "3"]
    assert all(each.endswith("%") for each in ticks(figure, "y", panel=1))


def test_the_history_of_fit_is_drawn() -> None:
    images, labels = small.images(8), small.labels(8)
    model = small.model()
    history = model.fit(images, labels, epochs=2, verbose=0)
    (line,) = history.plot().axes[0].lines
    assert np.asarray(line.get_ydata()).tolist() == history.history["loss"]


def test_notebooks_show_it() -> None:
    """Of an object that no formatter is registered for, they ask this method for a picture."""
    picture: Any = History(records(2, 1)).plot()
    png = picture._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 1152  # pixels across: 9.6 inches


def test_jupyter_shows_a_history_as_its_curves() -> None:
    page = History(records(2, 1))._repr_html_()
    assert page.startswith('<svg role="img" aria-label="Metrics of 2 epochs by epoch" ')
    assert "<!-- 1.5 in validation after epoch 2 -->" in page


def test_jupyter_shows_a_table_where_nothing_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    extra: dict[str, Any] = {"<script>": 1.5, "confusion_matrix": np.eye(2)}
    page = History([record(1, 2, **extra), record(2, 1)])._repr_html_()
    assert page.startswith("<table>")
    assert "History of 2 epochs" in page
    assert [page.count(each) for each in ("20.00%", "&lt;script&gt;", "<script>", "matrix")] == [
        *(1, 1, 0, 0)
    ]


def test_jupyter_shows_a_history_without_epochs() -> None:
    assert "History of 0 epochs" in History()._repr_html_()


def test_other_metrics_that_are_numbers_are_drawn() -> None:
    matrix = np.eye(2)
    first = record(1, 1, learning_rate=0.1, confusion_matrix=matrix, val_f1_score=0.5)
    figure = draw_history([first, record(2, 1)])
    assert [each.get_ylabel() for each in figure.axes] == [
        *("loss", "accuracy", "learning rate", "f1 score")
    ]
    rate, score = figure.axes[2:]
    assert list(points(rate).values()) == [[(1, 0.1)]]
    assert rate.get_title() == "learning rate\n0.1 in training after epoch 1"
    assert list(points(score).values()) == [[(1, 0.5)]]


def test_metrics_of_any_value_and_name_are_drawn() -> None:
    figure = draw_history([record(1, 1, certainty=float("nan"), **{"a $\\b$": 1.0})])
    figure.draw_without_rendering()
    assert figure.axes[2].get_title() == "certainty\nnan in training after epoch 1"
    assert figure.axes[3].get_ylabel() == "a $\\b$"


def test_a_single_epoch_can_be_seen() -> None:
    figure = draw_history(records(2))
    assert figure.axes[0].lines[0].get_marker() == "."
    assert ticks(figure, "x") == ["1"]


def test_many_epochs_are_a_line() -> None:
    figure = draw_history(records(*range(50)))
    assert figure.axes[0].lines[0].get_marker() == ""
    assert ticks(figure, "x") == [str(epoch) for epoch in range(5, 51, 5)]


def test_a_history_without_epochs_gets_one_line() -> None:
    with pytest.raises(InvalidValueError, match=r"^there are no epochs to draw yet: train for at"):
        History().plot()


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = r"^a plot needs Matplotlib, which is not installed: pip install 'gpucnn\[plot\]'$"
    with pytest.raises(GpucnnError, match=line):
        History(records(1)).plot()


# Several


def test_seeds_are_a_mean_in_a_band() -> None:
    figure = draw_trainings([Trainings("sweep-1", [records(1, 3), records(2, 5), records(6, 7)])])
    loss = figure.axes[0]
    assert points(loss) == {"sweep-1: mean and range of 3 seeds": [(1, 3.5), (2, 5.5)]}
    (band,) = loss.collections
    corners = {(x, y) for x, y in np.asarray(band.get_paths()[0].vertices)}
    assert corners == {(1, 1.5), (2, 3.5), (2, 7.5), (1, 6.5)}
    assert loss.get_title() == "loss in validation"


def test_seeds_that_are_not_as_far_are_counted() -> None:
    figure = draw_trainings([Trainings("sweep-1", [records(1), records(2, 5)])])
    assert points(figure.axes[0]) == {"sweep-1: mean and range of 1 to 2 seeds": [(1, 2), (2, 5.5)]}


def test_single_trainings_are_told_apart() -> None:
    names = [f"run-{number}" for number in range(12)]
    figure = draw_trainings(
        [Trainings(name, [records(1, number)]) for number, name in enumerate(names)]
    )
    lines = figure.axes[1].lines
    assert legend(figure) == names
    assert not figure.axes[1].collections
    assert len({(each.get_color(), each.get_linestyle()) for each in lines}) == 12


def test_a_training_without_epochs_gets_one_line() -> None:
    with pytest.raises(InvalidValueError, match=r"^run-2 has no epochs to draw yet: train it for"):
        draw_trainings([Trainings("run-1", [records(1)]), Trainings("run-2", [[]])])
