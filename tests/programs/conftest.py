import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from programs.program import Outcome, Program, script

Start = Callable[..., Program]
Answer = Callable[..., str]


@pytest.fixture(scope="session", autouse=True)
def on_linux() -> None:
    if sys.platform != "linux":
        pytest.skip("what a program leaves is looked for in /proc and /dev/shm")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts one of the scripts, or another command."""
    started: list[Program] = []

    def begin(*command: str | Path, **options: Any) -> Program:
        program = Program(command, tmp_path, **options)
        started.append(program)
        return program

    yield begin
    for program in started:
        program.end()


@pytest.fixture
def answer(start: Start) -> Answer:
    """Runs a script that must succeed; what it printed."""

    def run(name: str, *arguments: str, **options: Any) -> str:
        outcome = start(*script(name, *arguments), **options).finish()
        return clean(outcome)

    return run


def clean(outcome: Outcome) -> str:
    """The output of a program that has succeeded without a word on standard error."""
    assert (outcome.status, outcome.err) == (0, ""), outcome
    return outcome.out


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `starts/plain.py` prints, by name."""
    outcome = Program(script("starts/plain.py"), tmp_path_factory.mktemp("plain")).finish()
    lines = clean(outcome).splitlines()
    return {name: value for name, _, value in (line.rpartition(" ") for line in lines)}
