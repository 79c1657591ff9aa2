import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gpucnn.commands.main import main
from small_mnist import write_small_mnist


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


Command = Callable[..., Outcome]
Refused = Callable[..., str]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_small_mnist(tmp_path_factory.mktemp("data"), train=256, test=100))


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs `gpucnn` with the given arguments, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["gpucnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Outcome(stop.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def refused(command: Command) -> Refused:
    """Runs `gpucnn`, expects an error, and returns its one line."""

    def run(*arguments: object) -> str:
        outcome = command(*arguments)
        assert outcome.status == 2
        assert outcome.err.startswith("gpucnn: error: ")
        assert outcome.err.count("\n") == 1
        return outcome.err

    return run
