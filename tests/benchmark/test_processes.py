import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.small_plan import small_data
from expect import refusal
from gpucnn.benchmark import processes
from gpucnn.benchmark.processes import import_seconds, peak_memory, train
from gpucnn.benchmark.workload import make_network
from gpucnn.errors import DeviceError


def test_an_import_takes_what_it_adds_to_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"pass": 1.0, "import a, b": 3.5}
    monkeypatch.setattr(processes, "_run_seconds", seconds.__getitem__)
    assert import_seconds("a", "b") == 2.5


def test_an_import_takes_no_less_than_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"pass": 1.0, "import sys": 0.9}
    monkeypatch.setattr(processes, "_run_seconds", seconds.__getitem__)
    assert import_seconds("sys") == 0


def test_an_import_is_really_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "REPEATS", 1)
    with refusal(
        "a process that was to be measured failed: ModuleNotFoundError: No module named 'no_such'",
        DeviceError,
    ):
        import_seconds("no_such")


def test_what_is_imported_is_not_what_lies_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gpucnn").mkdir()
    (tmp_path / "gpucnn" / "__init__.py").write_text("raise RuntimeError('another')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "REPEATS", 1)
    import_seconds("gpucnn")


def test_a_process_that_says_nothing_is_told_by_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "REPEATS", 1)
    with refusal("a process that was to be measured failed: status 3", DeviceError):
        processes._run_seconds("raise SystemExit(3)")


def test_memory_is_what_the_process_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def python(*arguments: str) -> str:
        commands.append(arguments)
        return "123456\n"

    monkeypatch.setattr(processes, "run_python", python)
    assert peak_memory("cpu", "notebook", "float32", 32, 2) == 123456
    ((*start, given),) = commands
    assert start == ["-c", "from gpucnn.benchmark.processes import main; main()"]
    trained: dict[str, Any] = {}
    monkeypatch.setattr(processes, "load_data", small_data)
    monkeypatch.setattr(processes, "_train_device", lambda *given: trained.update(given=given))
    train(**json.loads(given))
    device, workload, *others = trained["given"]
    assert (device, workload.model, workload.dtype, *others) == (
        "cpu",
        "notebook",
        "float32",
        32,
        2,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell it so")
def test_a_process_answers_for_its_own_memory() -> None:
    of_the_one_that_starts_it = b"x" * 2**28
    code = (
        "from gpucnn.benchmark.processes import peak_bytes\n"
        "before = peak_bytes()\n"
        "taken = b'x' * 2**27\n"
        "print(before, peak_bytes())\n"
    )
    before, after = map(int, processes.run_python("-c", code).split())
    assert before < len(of_the_one_that_starts_it)
    assert after - before > 0.9 * 2**27


def test_training_for_memory_trains_and_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def watched(*arguments: Any) -> Any:
        network = make_network(*arguments)
        for name in ("fit", "evaluate"):
            original = getattr(network, name)

            def call(*a: Any, name: str = name, original: Any = original, **b: Any) -> Any:
                seen.append(f"{name} {len(a[0])}")
                return original(*a, **b)

            monkeypatch.setattr(network, name, call)
        return network

    monkeypatch.setattr(processes, "make_network", watched)
    monkeypatch.setattr(processes, "load_data", small_data)
    monkeypatch.setattr(processes, "STEPS", 3)
    train("cpu", "notebook", "float32", 8, 1)
    assert seen == ["fit 24", "evaluate 32"]
