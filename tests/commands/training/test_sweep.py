import json
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from commands.conftest import Command, Refused
from gpucnn.commands.runs import CHECKPOINT, Run
from gpucnn.commands.sweeps import Result, Sweep, processes
from mpiexec import run_ranks, run_script
from small_mnist import write_small_mnist


def results(folder: str | Path) -> list[dict[str, Any]]:
    content = json.loads((folder / Path("sweep.json")).read_text())
    assert [each["seed"] for each in content["results"]] == content["seeds"]
    return list(content["results"])


def failures(folder: str | Path) -> list[str | None]:
    return [each["failure"] for each in results(folder)]


def rows(out: str) -> dict[str, list[str]]:
    """The rows of the table, by their first cell."""
    lines = [line.split() for line in out.splitlines()]
    begin = next(number for number, line in enumerate(lines) if "val_accuracy" in line)
    return {line[0]: line[1:] for line in lines[begin + 1 :] if line}


def test_each_training_is_that_of_its_seed(command: Command, data: str) -> None:
    options = ["--data", data, "--device", "cpu", "--epochs", 1, "--optimizer", "sgd"]
    outcome = command("sweep", "--seeds", "4,2", "--jobs", 1, *options)
    assert (outcome.status, outcome.err) == (0, "")
    folder = Path("runs/sweep-1")
    command("train", "--seed", 2, "--threads", 1, *options, "--output", "alone")
    expected = Path("alone", CHECKPOINT).read_bytes()
    assert (folder / "seed-2" / CHECKPOINT).read_bytes() == expected
    recipe = json.loads((folder / "sweep.json").read_text())["recipe"]
    assert (recipe["optimizer"], recipe["epochs"], recipe["data"]) == ("sgd", 1, data)
    assert "seed" not in recipe

    last = json.loads(Path("alone/history.json").read_text())["epochs"][-1]
    (a, _), (b, loss) = ((each["val_accuracy"], each["val_loss"]) for each in results(folder))
    assert (b, loss) == (last["val_accuracy"], last["val_loss"])
    lines = outcome.out.splitlines()
    assert lines[:4] == [
        f"notebook: 2 seeds, 1 at a time on cpu; from {data}",
        "sgd, learning rate 0.05, one-cycle; batches of 32, epochs: 1; folder runs/sweep-1",
        f"seed 4: test accuracy {a:.2%}, 0 s (1 of 2)",
        f"seed 2: test accuracy {b:.2%}, 0 s (2 of 2)",
    ]
    table = rows(outcome.out)
    assert list(table)[:6] == ["4", "2", "mean", "deviation", "min", "max"]
    assert [table[name][0] for name in ("4", "2", "mean", "min", "max")] == [
        f"{value:.2%}" for value in (a, b, (a + b) / 2, min(a, b), max(a, b))
    ]
    assert table["2"][1] == f"{loss:.4f}"
    assert lines[-1] == "saved runs/sweep-1/sweep.json"


def test_on_a_terminal_a_bar_takes_the_place_of_the_lines(
    command: Command, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(self: Sweep, slots: object) -> Generator[Result]:
        for seed in self.seeds:
            self.results[seed] = Result(seed, 0.5, 1.0, 2.0)
            yield self.results[seed]

    monkeypatch.setattr(Sweep, "train", train)
    arguments = ["sweep", "--seeds", 0, "--data", data, "--device", "cpu"]
    assert "seed 0: test accuracy 50.00%, 2 s (1 of 1)\n" in command(*arguments).out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    out = command(*arguments).out
    assert "test accuracy" not in out
    assert rows(out)["0"] == ["50.00%", "1.0000", "2.0"]


def test_a_training_that_fails_is_a_row_and_is_tried_again(command: Command, data: str) -> None:
    Path("s").mkdir()
    Path("s/seed-1").touch()
    options = ["--data", data, "--device", "cpu", "--epochs", 1, "--jobs", 2, "--output", "s"]
    outcome = command("sweep", "--seeds", "0-2", *options)
    assert (outcome.status, outcome.err) == (1, "")
    reason = "s/seed-1 is a file: give a folder for the run"
    assert f"seed 1: failed: {reason} (" in outcome.out
    assert rows(outcome.out)["1"] == ["failed:", *reason.split()]
    assert failures("s") == [None, reason, None]
    last = "failed: 1 of 3; gpucnn sweep --resume --output s tries again"
    assert outcome.out.splitlines()[-1] == last

    Path("s/seed-1").unlink()
    kept = Path("s/seed-0", CHECKPOINT).stat().st_mtime_ns
    outcome = command("sweep", "--resume", "--output", "s", "--seeds", "2-3")
    assert outcome.status == 0
    assert "resumed: 2 of 4 are done" in outcome.out
    assert "seed 0: " not in outcome.out
    assert [each["seed"] for each in results("s")] == [0, 1, 2, 3]
    assert failures("s") == [None] * 4
    assert Path("s/seed-0", CHECKPOINT).stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "a sweep needs seeds: give them, such as --seeds 0-9"),
        (["--seeds", "3-1"], "seeds is '3-1': 3-1 ends before it begins"),
        (["--seeds", "1,1"], "seeds is '1,1': 1 is there twice"),
        (["--seeds", "0-1", "--model", "vgg"], "model is 'vgg': choose one of notebook, lenet"),
        (["--seeds", "0-1", "--device", "abacus"], "unknown device 'abacus'"),
        (["--seeds", "0-1", "--data", "nowhere"], "nowhere: give a folder of photographs"),
        (["--seeds", "0-1", "--jobs", "0"], "jobs is 0: it must be a whole number from 1 to"),
        (["--seeds", "0-1", "--threads", "0"], "threads is 0: it must be a whole number"),
        (["--seeds", "0-1", "--threads", "100000"], "threads is 100000: it must be at most"),
        (["--resume"], "--resume needs to know which sweep"),
        (["--resume", "--output", "nowhere"], "there is no sweep in nowhere"),
    ],
)
def test_a_bad_option_gets_one_line_and_leaves_nothing(
    refused: Refused, tmp_path: Path, arguments: list[str], line: str
) -> None:
    assert line in refused("sweep", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_the_folder_already(command: Command, refused: Refused, data: str) -> None:
    begin = ["sweep", "--seeds", 0, "--device", "cpu", "--data", data, "--epochs", 1]
    Path("file").touch()
    assert "file is a file: give a folder for the sweep" in refused(*begin, "--output", "file")
    command(*begin, "--output", "s")
    assert "s already holds a sweep" in refused(*begin, "--output", "s")
    resume = ["sweep", "--resume", "--output", "s"]
    assert "was begun with epochs 1, not 2" in refused(*resume, "--epochs", 2)
    assert command(*resume, "--epochs", 1, "--data", data).status == 0

    # Runs without the file of their sweep: one of the same recipe has its result already.
    Path("s/sweep.json").unlink()
    outcome = command(*begin, "--learning-rate", 0.5, "--output", "s")
    assert outcome.status == 1
    assert "was begun with learning_rate 0.01, not 0.5" in str(failures("s"))
    Path("s/sweep.json").unlink()
    assert command(*begin, "--output", "s").status == 0

    Path("s/sweep.json").write_text('{"recipe": {}}')
    assert "s/sweep.json is not of a sweep (" in refused(*resume)


# Trainings that are stopped


@pytest.fixture(scope="module")
def larger_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Enough images for an epoch of lenet to take a tenth of a second."""
    return str(write_small_mnist(tmp_path_factory.mktemp("data"), train=1000, test=100))


def epochs_done(run: Path) -> int:
    history = run / "history.json"
    return len(json.loads(history.read_text())["epochs"]) if history.exists() else 0


def test_a_killed_training_loses_no_other_and_goes_on(
    command: Command, larger_data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    def kill_the_first(seconds: float) -> None:
        time.sleep(seconds / 10)
        if epochs_done(Path("s/seed-0")) == 1:
            started[0].kill()

    options = ["--model", "lenet", "--data", larger_data, "--device", "cpu", "--epochs", 3]
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", Noted)
        patch.setattr(processes, "sleep", kill_the_first)
        outcome = command("sweep", "--seeds", "0-1", "--jobs", 2, *options, "--output", "s")
    assert outcome.status == 1
    assert "seed 0: failed: killed by SIGKILL" in outcome.out
    assert failures("s") == ["killed by SIGKILL", None]
    assert command("sweep", "--resume", "--output", "s").status == 0
    assert failures("s") == [None, None]
    command("train", "--threads", 1, *options, "--output", "alone")
    expected = Path("alone", CHECKPOINT).read_bytes()
    assert Path("s/seed-0", CHECKPOINT).read_bytes() == expected


def test_ctrl_c_ends_the_trainings_and_says_how_to_go_on(tmp_path: Path, larger_data: str) -> None:
    folder = tmp_path / "s"
    recipe = ["--model", "lenet", "--data", larger_data, "--device", "cpu", "--epochs", "999"]
    options = ["--seeds", "0-2", "--jobs", "2", *recipe, "--output", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "gpucnn", "sweep", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    runs = [folder / f"seed-{seed}" for seed in range(2)]
    while process.poll() is None and not all(map(epochs_done, runs)):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    how = f"gpucnn: stopped: gpucnn sweep --resume --output {folder} goes on\n"
    assert (process.returncode, err) == (130, how)
    for folder in runs:
        with Run.resume(folder) as run:  # which no process holds
            assert run.epochs_left > 0


# Ranks


def test_ranks_divide_the_seeds(data: str, tmp_path: Path) -> None:
    (tmp_path / "seed-1").touch()
    options = ["--data", data, "--device", "cpu", "--epochs", "1", "--output", str(tmp_path)]
    program = [sys.executable, "-m", "gpucnn", "sweep", "--seeds", "0-2", "--jobs", "1"]
    outcome = run_ranks(2, *program, *options)
    assert (outcome.status, outcome.told) == (1, [])
    ends = [line.partition("(")[2] for line in outcome.out if line.startswith("seed ")]
    assert [end for end in ends if end] == [
        "1 of 2 of rank 0)",
        "1 of 1 of rank 1)",
        "2 of 2 of rank 0)",
    ]
    assert [line.split(maxsplit=1)[:1] for line in outcome.out].count(["mean"]) == 1
    first = f"notebook: 3 seeds, 1 at a time on cpu by each of 2 ranks; from {data}"
    assert outcome.out.count(first) == 1
    reason = f"{tmp_path / 'seed-1'} is a file: give a folder for the run"
    assert failures(tmp_path) == [None, reason, None]


def test_a_rank_that_fails_ends_the_trainings_of_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    outcome = run_script(2, "waiting.py", str(folder))
    assert outcome.told == ["gpucnn: rank 1 has ended by KeyError, and so do the others"]
    with Run.resume(folder) as run:  # which no process holds
        assert run.epochs_left > 0
