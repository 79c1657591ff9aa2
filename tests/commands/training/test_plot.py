import sys
from pathlib import Path
from typing import Any

import pytest

from commands.conftest import Command, Refused
from gpucnn.commands.runs import run
from gpucnn.commands.runs.comparison import read_trainings
from gpucnn.commands.runs.history import read_history
from gpucnn.commands.training import plot


@pytest.fixture
def train(command: Command, data: str) -> Any:
    """Trains for an epoch in a folder."""

    def train_in(folder: str, *more: object) -> None:
        options = "--data", data, "--epochs", 1, "--threads", 1, "--output", folder
        assert command("train", *options, *more).status == 0

    return train_in


def test_seeds_of_one_recipe_are_together(train: Any) -> None:
    for seed in (0, 1, 10):
        train(f"runs/sweep-1/seed-{seed}", "--seed", seed)
    train("runs/other", "--batch-size", 64)
    sweep, other = read_trainings([Path("runs/sweep-1"), Path("runs/other")])
    assert (sweep.name, other.name) == ("sweep-1", "other")
    folders = [Path(f"runs/sweep-1/seed-{seed}") for seed in (0, 1, 10)]
    assert list(sweep.runs) == [read_history(folder).epochs for folder in folders]
    assert read_trainings([*folders, folders[0], Path("runs/other")]) == [sweep, other]


def test_runs_are_called_by_their_folders(train: Any) -> None:
    train("a/one", "--seed", 1)
    train("a/two", "--seed", 2)
    train("b/one", "--seed", 2, "--batch-size", 64)
    (seeds,) = read_trainings([Path("a/one"), Path("a/two")])
    assert (seeds.name, len(seeds.runs)) == ("one to two", 2)
    first, second = read_trainings([Path("a/one"), Path("b/one")])
    assert (first.name, second.name) == (str(Path("a/one")), str(Path("b/one")))


def test_repetitions_of_a_seed_are_no_seeds(train: Any) -> None:
    train("one")
    train("two")
    assert [each.name for each in read_trainings([Path("one"), Path("two")])] == ["one", "two"]


def test_runs_are_drawn(train: Any, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(plot, "write_figure", lambda path, figure: drawn.append((path, figure)))
    train("one")
    train("two", "--batch-size", 64)
    assert command("plot", "one", "two").out == "saved curves.png\n"
    assert command("plot", "one", "--output", "one.png").out == "saved one.png\n"
    (first, both), (second, single) = drawn
    assert (str(first), str(second)) == ("curves.png", "one.png")
    assert [each.get_label() for each in both.axes[0].lines] == ["one", "two"]
    assert len(single.axes[0].lines) == 2  # of training and of validation


def test_curves_are_drawn_after_each_epoch(
    train: Any, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def write(path: Path, figure: Any) -> None:
        drawn.append((str(path), len(figure.axes[0].lines[0].get_xdata())))

    monkeypatch.setattr(run, "write_figure", write)
    train("one", "--epochs", 2, "--schedule", "constant", "--plot")
    assert drawn == [(str(Path("one/curves.png")), 1), (str(Path("one/curves.png")), 2)]
    leftover = Path("one/.curves.png.0.gpucnn-tmp")
    leftover.touch()
    assert command("train", "--resume", "--output", "one", "--epochs", 3, "--plot").status == 0
    assert drawn[2:] == [(str(Path("one/curves.png")), 3)]
    assert not leftover.exists()


def test_a_picture_is_written(train: Any, command: Command) -> None:
    train("one", "--plot")
    assert Path("one/curves.png").read_bytes().startswith(b"\x89PNG")
    assert command("plot", "one").status == 0
    assert Path("curves.png").read_bytes() == Path("one/curves.png").read_bytes()
    assert not list(Path("one").glob("*tmp"))


def test_wrong_arguments_get_one_line(refused: Refused) -> None:
    assert "there is no run in missing: history.json is not there" in refused("plot", "missing")
    Path("runs/one").mkdir(parents=True)
    Path("runs/one/history.json").touch()
    assert "there is no run in runs: give the folder of one, such as runs/one" in refused(
        "plot", "runs"
    )
    assert "give a name that ends in .png" in refused("plot", "one", "--output", "one.jpg")


@pytest.mark.parametrize("line", [("train", "--plot", "--output", "run"), ("plot", "run")])
def test_without_matplotlib(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "a plot needs Matplotlib, which is not installed" in refused(*line)
    assert not Path("run").exists()
