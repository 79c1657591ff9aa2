"""Programs that have processes of their own."""

import time

import pytest

from programs.conftest import Answer, Start, clean
from programs.program import LIMIT, POLL, script


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_each_of_a_pool_trains_and_predicts(
    answer: Answer, known: dict[str, str], method: str
) -> None:
    told = [f"{what} {known[what]}" for what in ("trained", "predicted") for _ in range(2)]
    assert answer("processes/pool.py", method).splitlines() == told


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_models_go_to_an_executor_and_back(
    answer: Answer, known: dict[str, str], method: str
) -> None:
    told = [f"trained twice {known['trained twice']}"] * 2 + [f"trained {known['trained']}"]
    assert answer("processes/executor.py", method).splitlines() == told


def test_parent_and_child_train_one_model(answer: Answer, known: dict[str, str]) -> None:
    told = [f"{what} {known[what]}" for what in ("trained", "trained twice")]
    expected = [f"{who}: {line}" for who in ("child", "parent") for line in told]
    assert sorted(answer("processes/fork.py").splitlines()) == expected


def test_a_thread_forks_beside_fit(answer: Answer, known: dict[str, str]) -> None:
    told = answer("processes/fork_beside_fit.py").splitlines()
    assert told == [
        f"child: trained {known['trained']}",
        "child: predicts",
        f"trained {known['trained']}",
    ]


def test_a_daemon_trains(start: Start, known: dict[str, str]) -> None:
    program = start(*script("processes/daemon.py"))
    result, deadline = program.work / "result", time.monotonic() + LIMIT
    while not result.exists():
        assert time.monotonic() < deadline, "the daemon does not end"
        time.sleep(POLL)
    assert clean(program.finish()) == ""
    assert result.read_text() == f"trained {known['trained']}\n"


def test_daemonic_processes_train(answer: Answer, known: dict[str, str]) -> None:
    assert answer("processes/process.py") == f"trained {known['trained']}\n" * 2
