import json
import sys
from pathlib import Path
from time import time
from typing import Any

import pytest

from benchmark.small_plan import small_data
from expect import refusal
from gpucnn.benchmark import processes
from gpucnn.benchmark.peers import peer_class
from gpucnn.benchmark.processes import import_seconds, peak_memory, script, start_up
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


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of the Pythons that are run, which print a number, but do nothing."""
    run: list[list[str]] = []

    def python(*arguments: str) -> str:
        run.append(list(arguments))
        return "123456\n"

    monkeypatch.setattr(processes, "run_python", python)
    return run


def test_memory_is_what_the_process_prints(commands: list[list[str]]) -> None:
    assert peak_memory("cpu", "notebook", "float32", 32, 2) == 123456
    ((*start, given),) = commands
    assert start == ["-c", "from gpucnn.benchmark.processes import main; main()"]
    assert json.loads(given) == {
        "contender": "cpu",
        "model": "notebook",
        "dtype": "float32",
        "batch_size": 32,
        "threads": 2,
    }


@pytest.mark.parametrize(
    ("contender", "imports"),
    [
        ("cpu", "import gpucnn.models;"),
        ("cuda:1", "import gpucnn.models, cupy;"),
        ("torch", "import torch;"),
    ],
)
def test_a_start_up_begins_with_the_import(
    commands: list[list[str]], contender: str, imports: str
) -> None:
    before = time()
    assert start_up(contender, "notebook", "float32", 32, 2) == 123456
    ((_, code, given),) = commands
    assert code.startswith(imports)
    assert before <= json.loads(given)["started"] <= time()


def test_a_start_up_is_that_of_a_step() -> None:
    before = time()
    seconds = start_up("cpu", "notebook", "float32", 8, 1)
    assert 0 < seconds < time() - before


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


def test_a_script_trains_and_may_evaluate(monkeypatch: pytest.MonkeyPatch) -> None:
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
    script("cpu", "notebook", "float32", 8, 1, steps=3, evaluates=True)()
    script("cpu", "notebook", "float32", 8, 1, steps=1, evaluates=False)()
    assert seen == ["fit 24", "evaluate 32", "fit 8"]


def test_a_peer_is_given_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def record(network: Any, train: Any, test: Any, batch_size: int, threads: int) -> None:
        given.append((network.name, len(train[0]), len(test[0]), batch_size, threads))

    monkeypatch.setattr(processes, "load_data", small_data)
    monkeypatch.setattr(peer_class("torch"), "train", staticmethod(record))
    script("torch", "notebook", "float32", 8, 2, steps=3, evaluates=True)()
    assert given == [("notebook", 24, 32, 8, 2)]
