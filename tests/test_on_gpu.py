"""The report of tests/on_gpu.sh: its form, and what becomes of checks that fail or hang."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import on_gpu
import on_gpu_timing
from on_gpu import Check, Report

MACHINE = {"commit": "abc", "gpu": "A GPU"}


def python(name: str, code: str, limit: int = 60) -> Check:
    return Check(name, [sys.executable, "-c", code], limit)


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return Report(tmp_path, "cuda", MACHINE, deadline=time.monotonic() + 60)


def written(report: Report) -> tuple[dict[str, Any], list[str]]:
    """The report's two files."""
    content: dict[str, Any] = json.loads((report.folder / "report.json").read_text())
    return content, (report.folder / "report.txt").read_text().splitlines()


def test_a_report_says_first_what_failed(report: Report) -> None:
    report.run(python("good", "print('fine')"))
    report.run(python("bad", "raise ValueError('spoilt')"))
    content, lines = written(report)
    assert content.keys() == {
        "device",
        "passed",
        "complete",
        "failed",
        "seconds",
        "machine",
        "checks",
        "trainings",
        "timings",
    }
    assert (content["device"], content["machine"]) == ("cuda", MACHINE)
    assert (content["passed"], content["complete"], content["failed"]) == (False, False, ["bad"])
    good, bad = content["checks"]
    assert good.keys() == {"name", "status", "passed", "seconds", "command", "log"}
    assert (good["name"], good["status"], good["passed"]) == ("good", "passed", True)
    assert (bad["status"], bad["passed"]) == ("failed", False)
    assert good["log"] == []
    assert bad["log"][-1] == "ValueError: spoilt"
    assert lines[0].startswith("1 of 2 checks failed, so far, in ")
    assert lines[0].endswith("bad")
    assert lines[-1] == "ValueError: spoilt"


def test_a_report_passes_once_all_checks_have(report: Report) -> None:
    report.run(python("good", "pass"))
    assert not written(report)[0]["passed"]
    report.is_complete = True
    report.write()
    content, lines = written(report)
    assert content["passed"]
    assert lines[0].startswith("0 of 1 checks failed, in ")


def test_what_takes_too_long_is_ended_with_its_children(report: Report) -> None:
    child = "import time; time.sleep(60)"
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()"
    )
    report.run(python("slow", code, limit=2))
    (slow,) = written(report)[0]["checks"]
    assert (slow["status"], slow["passed"]) == ("timed out", False)
    assert slow["seconds"] < 30
    status = Path("/proc") / slow["log"][0] / "status"
    for _ in range(100):
        if not status.exists() or "zombie" in status.read_text():
            return
        time.sleep(0.1)
    raise AssertionError("the child is still there")


@pytest.mark.parametrize(("optional", "passed"), [(False, False), (True, None)])
def test_a_tool_that_is_not_there(report: Report, optional: bool, passed: bool | None) -> None:
    report.run(Check("tool", ["no-such-tool"], 60, optional))
    (check,) = written(report)[0]["checks"]
    assert (check["status"], check["passed"]) == ("not there", passed)


def test_past_the_deadline_nothing_runs(tmp_path: Path) -> None:
    report = Report(tmp_path, "cuda", MACHINE, deadline=time.monotonic() - 1)
    report.run(python("late", "pass"))
    (check,) = written(report)[0]["checks"]
    assert (check["status"], check["passed"]) == ("no time was left", False)


def test_an_error_of_a_check_is_its_failure(report: Report) -> None:
    report.run(Check("odd/name", [sys.executable], 60))  # its log cannot be written
    (check,) = written(report)[0]["checks"]
    assert (check["status"], check["passed"]) == ("failed", False)
    assert "FileNotFoundError" in check["log"][0]


def test_what_trainings_reach_is_reported(report: Report) -> None:
    report.run(python("train_lenet", "print('...\\ntest accuracy 99.00% after epoch 8')"))
    content, lines = written(report)
    assert content["trainings"] == {"train_lenet": "test accuracy 99.00% after epoch 8"}
    assert "train_lenet: test accuracy 99.00% after epoch 8" in lines


def test_timings_are_reported(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(report.folder / "timing_notebook_2.json")
    options = ["notebook", "2", "--device", "simulator", "--json", file]
    monkeypatch.setattr(sys, "argv", ["on_gpu_timing.py", *options])
    with pytest.raises(SystemExit) as ended:
        on_gpu_timing.main()
    assert ended.value.code is False
    report.write()
    content, lines = written(report)
    (timing,) = content["timings"]
    assert (timing["model"], timing["batch_size"], timing["errors"]) == ("notebook", 2, {})
    assert list(timing["steps"]) == ["simulator", "simulator, eager"]
    for each in timing["steps"].values():
        assert each.keys() == {"microseconds", "quartiles", "images_per_second"}
    launches = [(each["part"], each["kernel"]) for each in timing["launches"]]
    assert launches[0] == ("all layers", "conv_classifier")
    assert launches[-1] == ("", "sgd")
    assert all(each["microseconds"] > 0 for each in timing["launches"])
    assert "notebook, batches of 2, microseconds of a step:" in lines
    assert any("GFLOP/s" in line and "all layers" in line for line in lines)


def test_a_contender_that_fails_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    result: dict[str, Any] = {"errors": {}}
    with on_gpu_timing.told("slow", result), on_gpu_timing.time_limit(1):
        time.sleep(10)
    assert result["errors"] == {"slow": "TimeoutError: it took longer than 1 s"}
    assert "slow: TimeoutError" in capsys.readouterr().err


def test_without_a_compiled_step_the_others_are_timed(report: Report) -> None:
    left_out = ["--without", "torch on cuda, compiled"]
    assert on_gpu.timed(report, "lenet", 64).command[-2:] == left_out
    report.run(python(on_gpu.compiling("lenet", 64), "pass"))
    assert "--without" not in on_gpu.timed(report, "lenet", 64).command


@pytest.mark.parametrize(
    ("now", "later"),
    [(on_gpu.on_gpu, on_gpu.timed_on_gpu), (on_gpu.on_simulator, on_gpu.timed_on_simulator)],
)
def test_checks_have_names_of_their_own(
    report: Report, tmp_path: Path, now: Any, later: Any
) -> None:
    names = [each.name for each in (*now(tmp_path), *later(report, tmp_path))]
    assert len({*names}) == len(names)
    assert {"contract", "train_notebook", "graph_is_eager_notebook"} <= {*names}
