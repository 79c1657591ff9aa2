import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.example import RANKS, REPORT, rounds, with_seconds
from commands.conftest import Command, Refused
from gpucnn.benchmark import PEERS, Plan, plan
from gpucnn.benchmark.report import Report, TimeToAccuracy, read_report, write_report
from gpucnn.commands.devices import bench


@pytest.fixture(autouse=True)
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """A benchmark that is quick, and the list of what it was asked for."""
    asked_for: list[Plan] = []

    def run_benchmark(plan: Plan, progress: Callable[[str, float], None]) -> Report:
        asked_for.append(plan)
        progress("inference on cpu", 0.5)
        return REPORT

    monkeypatch.setattr(bench, "run_benchmark", run_benchmark)
    return asked_for


def rows(output: str, *names: str) -> list[list[str]]:
    """What follows the names in each line that begins with them."""
    lines = [line.split() for line in output.splitlines()]
    return [line[len(names) :] for line in lines if line[: len(names)] == list(names)]


# Measuring


def test_by_default_every_device_but_the_simulator(
    command: Command, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "available_devices", lambda: ["cpu", "simulator"])
    assert command("bench").status == 0
    assert plans == [Plan(("cpu",), (), "notebook", (32,))]


def test_every_option_reaches_the_plan(command: Command, plans: list[Plan]) -> None:
    options = "--device cpu --device simulator --model lenet --batch-size 8 --batch-size 64"
    more = "--dtype float64 --threads 1 --to-accuracy 98.5"
    assert command("bench", *options.split(), *more.split()).status == 0
    assert plans == [Plan(("cpu", "simulator"), (), "lenet", (8, 64), "float64", 1, 11, 0.985)]


def test_ranks_reach_the_plan(
    command: Command, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "find_mpiexec", lambda: "mpiexec")
    assert command("bench", "--device", "cpu", "--ranks", "2", "--ranks", "4").status == 0
    assert plans[0].ranks == (2, 4)


def test_the_peers_reach_the_plan(
    command: Command, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plan, "__post_init__", lambda self: None)  # whether they are installed
    assert command("bench", "--peer", "torch", "--peer", "onnxruntime").status == 0
    assert plans[0].peers == ("torch", "onnxruntime")


def test_it_prints_what_was_measured_on_what(command: Command) -> None:
    lines = command("bench").out.splitlines()
    assert lines[:5] == [
        "notebook in float32, CPU threads: 2, rounds: 11, 2026-01-31T12:00:00Z",
        "A processor, 2 cores, 8 GB of memory",
        "cpu is x86_64, 2 cores",
        "cuda is A GPU",
        "Python 3.11.2, gpucnn 0.1, NumPy 2.4.6, BLAS mkl, torch 2.13",
    ]


def test_it_prints_every_figure(command: Command) -> None:
    out = command("bench").out
    assert rows(out, "torch", "import") == [["1.50"]]
    assert rows(out, "gpucnn", "(cpu)", "warm-up") == [["0.25"]]
    assert ["10,000.0", "1,000.0"] in rows(out, "cuda")
    assert rows(out, "training", "step") == [
        ["64", "images", "gpucnn", "(cpu)", "64,000", "1.000", "2.5%"],
        ["64", "images", "torch", "32,000", "2.000", "2.5%", "2.00", "2.00", "2.00"],
    ]
    assert rows(out, "inference") == [
        ["64", "images", "gpucnn", "(cpu)", "160,000", "0.400", "2.5%"]
    ]
    assert rows(out, "conv2d", "forward") == [
        ["200.0", "2.5%", "10.00", "1.00", "50.0", "5.0", "50%"]
    ]
    assert rows(out, "conv2d", "backward") == [
        ["400.0", "2.5%", "8.00", "1.00", "20.0", "2.5", "25%"]
    ]
    assert rows(out, "all", "layers") == [["601.0", "18.00", "2.00", "30.0", "3.3", "33%"]]
    assert ["98.00%", "98.12%", "4", "7.25"] in rows(out, "gpucnn", "(cpu)")
    assert ["98.00%", "97.89%", "5", "12.50"] in rows(out, "torch")
    assert ["64", "images", "200.0"] in rows(out, "gpucnn", "(cpu)")
    assert ["64", "images", "2.75"] in rows(out, "torch")


def test_it_prints_the_kernels_of_a_step(command: Command) -> None:
    out = command("bench").out
    assert "the 3 launches of a training step on cuda, 64 images" in out
    assert rows(out, "next_batch") == [["1", "256", "2.00"]]
    assert rows(out, "dense", "backward", "matmul") == [
        ["8", "x", "4", "256", "3.00", "2,000.0", "100.0"]
    ]
    assert rows(out, "dense", "backward", "sum_rows") == [["2", "256", "1.00"]]
    assert rows(out, "all", "launches") == [["6.00"]]


def test_it_prints_how_ranks_scale(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ranks" not in command("bench").out
    monkeypatch.setattr(bench, "run_benchmark", lambda plan, progress: RANKS)
    out = command("bench").out
    assert rows(out, "cpu", "1", "rank", "1", "worker") == [
        ["32", "images", "32,000", "1.000", "2.5%"],
        ["64", "images", "32,000", "2.000", "2.5%"],
    ]
    gains = ["1.60", "1.60..1.60", "0.80", "0.80..0.80"]
    step, held, *of_ranks = rows(out, "cpu", "2", "ranks")
    figures = ["64", "images", "51,200", "1.250", "2.5%", *gains, "1.180"]
    assert step == ["1", "worker", *figures]
    gains = ["1.25", "1.25..1.25", "0.62", "0.62..0.62"]
    assert rows(out, "cpu", "1", "rank", "2", "workers") == [
        ["64", "images", "40,000", "1.600", "2.5%", *gains]
    ]
    assert held == ["64", "images", "4.0", "250.0", "20%", "2.5%", "200.0", "2.5%", "180.0"]
    assert of_ranks == [
        ["100.0", "0.05"],
        ["4.0", "180.0", "2.5%", "180.0"],
        ["8.0", "260.0", "2.5%", "260.0"],
    ]


def test_what_was_not_measured_has_no_heading(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "training to an accuracy" in command("bench").out
    report = replace(REPORT, accuracies=[])
    monkeypatch.setattr(bench, "run_benchmark", lambda plan, progress: report)
    assert "training to an accuracy" not in command("bench").out


def test_a_contender_alone_has_no_ratios(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ratio" in command("bench").out
    alone = [each for each in REPORT.measurements if each.contender == "cpu"]
    report = replace(REPORT, measurements=alone)
    monkeypatch.setattr(bench, "run_benchmark", lambda plan, progress: report)
    assert "ratio" not in command("bench").out


def test_a_terminal_is_shown_how_far_it_is(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert "inference on cpu" not in command("bench").out
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    command("bench")
    assert "inference on cpu" in terminal.getvalue()
    assert "50%" in terminal.getvalue()


def test_the_report_is_kept_and_drawn(command: Command) -> None:
    pytest.importorskip("matplotlib")
    outcome = command("bench", "--json", "a.json", "--plot", "a.png")
    assert outcome.status == 0
    assert outcome.out.splitlines()[-2:] == ["saved a.json", "saved a.png"]
    assert read_report("a.json") == REPORT
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--device abacus", "unknown device 'abacus'"),
        ("--peer abacus", f"peer is 'abacus': choose one of {', '.join(PEERS)}"),
        ("--model vgg", "model is 'vgg': choose one of notebook, lenet"),
        ("--batch-size 0", "batch_size is 0"),
        ("--dtype float16", "dtype is 'float16'"),
        ("--threads 0", "threads is 0"),
        ("--ranks 1", "ranks is 1: give 2 or more"),
        ("--to-accuracy 100", "to_accuracy is 100: it must be above 0 and below 100, in per cent"),
        ("--to-accuracy 0", "to_accuracy is 0: it must be above 0 and below 100, in per cent"),
        ("--to-accuracy nan", "to_accuracy is nan: it must be above 0 and below 100"),
        ("--json nowhere/a.json", "there is no folder nowhere to write a.json in"),
        ("--plot nowhere/a.png", "there is no folder nowhere to write a.png in"),
        ("--plot a.svg", "the plot's file is 'a.svg': give a name that ends in .png"),
        ("--compare a.json", "--compare"),
        ("--compare a.json b.json", "there is no file a.json"),
        ("--compare a.json b.json --json c.json", "writes no file: leave --json out"),
        (
            "--compare a.json b.json --device cpu --threads 1",
            "leave --device and --workers/--threads out",
        ),
        ("--device simulator --workers 2", "this runs on simulator"),
        ("--tolerance 5", "--tolerance is for --compare"),
        ("--json c.png --plot c.png", "c.png is given for both --json and --plot"),
        ("--compare a.json b.json --plot c.png", "leave --plot out"),
        ("--compare a.json b.json --ranks 2", "leave --ranks out"),
        ("--compare a.json b.json --tolerance -1", "tolerance is -1"),
    ],
)
def test_a_bad_option_gets_one_line_before_anything_is_measured(
    refused: Refused, plans: list[Plan], arguments: str, line: str
) -> None:
    assert line in refused("bench", *arguments.split())
    assert plans == []


# Comparing


@pytest.fixture
def compared(command: Command) -> Callable[..., tuple[int, str]]:
    """Compares the example with another report; returns the status and what is printed."""

    def run(new: Report, *options: str) -> tuple[int, str]:
        write_report("old.json", REPORT)
        write_report("new.json", new)
        outcome = command("bench", "--compare", "old.json", "new.json", *options)
        assert outcome.err == ""
        return outcome.status, outcome.out

    return run


Compared = Callable[..., tuple[int, str]]


def test_the_same_report_passes(compared: Compared, plans: list[Plan]) -> None:
    status, out = compared(REPORT)
    assert status == 0
    assert "7 other figures are the same but for noise" in out
    assert out.splitlines()[-1] == "regressions beyond 10 %: none"
    assert plans == []


def test_a_regression_ends_with_1(compared: Compared) -> None:
    status, out = compared(with_seconds(REPORT, 0, rounds(2e-3)))
    assert status == 1
    assert rows(out, "training", "step", "on", "cpu,", "batches", "of", "64") == [
        ["1.000", "ms", "2.000", "ms", "2.000", "1.922", "2.082", "regression"]
    ]
    assert out.splitlines()[-1] == "regressions beyond 10 %: 1"


def test_what_is_tolerated_passes(compared: Compared) -> None:
    new = with_seconds(with_seconds(REPORT, 0, rounds(2e-3)), 1, rounds(1e-3))
    status, out = compared(new, "--tolerance", "95")
    assert status == 0
    verdicts = [row[-1] for row in rows(out, "training", "step", "on")]
    assert verdicts == ["tolerated", "better"]
    assert out.splitlines()[-1] == "regressions beyond 95 %: none"


def test_memory_is_compared_in_megabytes(compared: Compared) -> None:
    status, out = compared(replace(REPORT, memory=[replace(REPORT.memory[0], bytes=400_000_000)]))
    assert status == 1
    (row,) = rows(out, "peak", "memory", "on", "cpu,")
    assert row[3:8] == ["200.0", "MB", "400.0", "MB", "2.000"]


def test_a_time_to_an_accuracy_is_shown_and_not_judged(compared: Compared) -> None:
    status, out = compared(replace(REPORT, accuracies=[TimeToAccuracy("cpu", 0.98, 30, 9, 0.98)]))
    assert status == 0
    assert rows(out, "time", "to", "98%") == [
        ["on", "cpu", "7.25", "s", "30.00", "s", "4.138", "noise", "unknown"]
    ]


def test_an_accuracy_that_is_lost_ends_with_1(compared: Compared) -> None:
    status, out = compared(replace(REPORT, accuracies=[TimeToAccuracy("cpu", 0.98, 9, 5, 0.97)]))
    assert status == 1
    assert "cpu no longer reaches 98.00%: 97.00% after 5 epochs" in out


def test_what_is_not_alike_is_told(compared: Compared) -> None:
    new = replace(
        REPORT,
        environment=replace(REPORT.environment, machine="Another"),
        measurements=REPORT.measurements[1:],
        memory=[replace(REPORT.memory[0], batch_size=1000)],
    )
    lines = compared(new)[1].splitlines()
    assert lines[:4] == [
        "warning: the reports differ in the machine: A processor, 2 cores, 8 GB of memory before, "
        "Another now",
        "only in the old report: training step on cpu, batches of 64",
        "only in the old report: peak memory on cpu, batches of 64",
        "only in the new report: peak memory on cpu, batches of 1,000",
    ]
