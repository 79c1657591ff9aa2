import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from programs.program import Outcome, Program, script
from small_mnist import write_small_mnist

DIGITS = "DIGITS"  # names the folder of images, in the environment
IMAGES = 8_200  # of each set: enough for an epoch to be divided among workers

WARNING_LINE = r".*: GpucnnWarning: .*\n"
WARNING = re.compile(rf"({WARNING_LINE}  .*\n)?")
"""What Python prints of a warning, or nothing."""

NOTHING: Mapping[str, str] = MappingProxyType({})

Start = Callable[..., Program]
Answer = Callable[..., str]


@pytest.fixture(scope="session", autouse=True)
def on_linux() -> None:
    if sys.platform != "linux":
        pytest.skip("what a program leaves is looked for in /proc and /dev/shm")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the scripts need of it: where their images are."""
    folder = tmp_path_factory.mktemp("digits")
    write_small_mnist(folder, train=IMAGES, test=IMAGES)
    return {DIGITS: str(folder)}


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Starts one of the scripts, or another command."""
    started: list[Program] = []

    def begin(*command: str | Path, stdin: str = "", env: Mapping[str, str] = NOTHING) -> Program:
        program = Program(command, tmp_path, stdin, environment | dict(env))
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


def warned(outcome: Outcome) -> str:
    """The output of a program that has succeeded, warned once at most that it works alone."""
    assert outcome.status == 0, outcome
    assert WARNING.fullmatch(outcome.err), outcome
    return outcome.out


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> dict[str, str]:
    """What `starts/plain.py` prints, by name."""
    folder = tmp_path_factory.mktemp("plain")
    lines = clean(Program(script("starts/plain.py"), folder, env=environment).finish()).splitlines()
    return {name: value for name, _, value in (line.rpartition(" ") for line in lines)}
