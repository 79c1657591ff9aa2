"""`gpucnn train` as several ranks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gpucnn.backends.ranks.launcher import VARIABLES
from mpiexec import MPIEXEC, Outcome, environment, run_ranks, told_in
from small_mnist import write_small_mnist

TRAIN = [sys.executable, "-m", "gpucnn", "train", "--device", "cpu", "--threads", "1"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    write_small_mnist(folder, train=640, test=100)
    return folder


def train(ranks: int, digits: Path, run: Path, *options: str) -> Outcome:
    command = [*TRAIN, "--data", str(digits), "--output", str(run), "--batch-size", "64"]
    return run_ranks(ranks, *command, *options)


def start(ranks: int, digits: Path, run: Path, *options: str) -> "subprocess.Popen[str]":
    """Start the same in a session of its own, to be ended by a signal."""
    command = [*TRAIN, "--data", str(digits), "--output", str(run), "--batch-size", "64", *options]
    return subprocess.Popen(
        [str(MPIEXEC), "-n", str(ranks), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment(),
    )


def wait_for(beginning: str, process: "subprocess.Popen[str]") -> None:
    """Wait for a line of the output that begins so."""
    assert process.stdout is not None
    assert any(line.startswith(beginning) for line in process.stdout)


def resume(ranks: int, run: Path, *options: str) -> Outcome:
    return run_ranks(ranks, *TRAIN[:4], "--resume", "--output", str(run), *options)


def history_of(run: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((run / "history.json").read_text())
    return read


def test_rank_0_alone_prints_and_writes(digits: Path, tmp_path: Path) -> None:
    outcome = train(2, digits, tmp_path / "run", "--epochs", "1")
    assert (outcome.status, outcome.told) == (0, [])
    assert outcome.out.count("2 ranks, which divide each batch among them") == 1
    assert len([line for line in outcome.out if line.startswith("epoch 1/1")]) == 1
    written = sorted(each.name for each in (tmp_path / "run").iterdir())
    assert written == [".lock", "checkpoint.safetensors", "history.json"]
    assert history_of(tmp_path / "run")["versions"]["ranks"] == "2"


def test_a_run_of_two_ranks_goes_on_with_three(digits: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(2, digits, run, "--epochs", "1").status == 0
    outcome = resume(3, run, "--epochs", "2")
    assert outcome.status == 0
    assert [line for line in outcome.told if "the number of ranks was 2 and is 3" in line]
    assert [each["epoch"] for each in history_of(run)["epochs"]] == [1, 2]


def test_a_resumed_run_of_ranks_ends_in_the_same_bytes(digits: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert train(2, digits, whole, "--epochs", "3").status == 0
    process = start(2, digits, stopped, "--epochs", "3")
    wait_for("epoch 1/3", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(1)  # in which the launcher's other processes end
    assert resume(2, stopped).status == 0
    checkpoints = [(run / "checkpoint.safetensors").read_bytes() for run in (whole, stopped)]
    assert checkpoints[0] == checkpoints[1]


def test_ctrl_c_is_told_in_one_line(digits: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(3, digits, run, "--epochs", "500")
    wait_for("epoch 2/", process)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=10)
    how = f"gpucnn train --resume --output {run} goes on"
    assert told_in(told) == [f"gpucnn: rank 0: stopped: {how}"]
    assert history_of(run)["epochs"]


def test_batches_by_rank(digits: Path, tmp_path: Path) -> None:
    options = ["--data", str(digits), "--epochs", "1", "--per-rank-batch-size", "16"]
    outcome = run_ranks(2, *TRAIN, *options, "--output", str(tmp_path / "run"))
    assert outcome.status == 0
    assert history_of(tmp_path / "run")["recipe"]["batch_size"] == 32
    outcome = run_ranks(2, *TRAIN, *options, "--batch-size", "32")
    (line,) = outcome.told
    assert "--batch-size and --per-rank-batch-size are both given" in line


def test_what_rank_0_finds_wrong_is_told_once(digits: Path, tmp_path: Path) -> None:
    outcome = train(3, digits, tmp_path / "run", "--optimizer", "none")
    (line,) = outcome.told
    assert line.startswith("gpucnn: rank 0: error: optimizer is 'none'")
    assert outcome.status != 0


def test_other_commands_run_on_rank_0_alone() -> None:
    outcome = run_ranks(2, sys.executable, "-m", "gpucnn", "devices")
    assert outcome.status == 0
    assert len([line for line in outcome.out if " simulator " in f" {line} "]) == 1


def test_wrong_variables_of_a_launcher_are_told_in_a_line() -> None:
    wrong = dict.fromkeys(VARIABLES[1], "many")
    done = subprocess.run(
        [sys.executable, "-m", "gpucnn", "devices"],
        env=environment() | wrong,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("gpucnn: error: the environment variable PMI_RANK is 'many'")
