import errno
import subprocess
import sys

import pytest

import gpucnn
from commands.conftest import Command, Refused
from gpucnn.commands import main


def raising(error: BaseException) -> object:
    def app(standalone_mode: bool) -> None:
        raise error

    return app


def test_without_arguments_it_explains_itself(command: Command) -> None:
    outcome = command()
    assert outcome.status == 0
    for name in ("train", "evaluate", "predict", "notebook", "devices"):
        assert name in outcome.out


def test_it_tells_its_version(command: Command) -> None:
    assert command("--version").out == f"gpucnn {gpucnn.__version__}\n"


def test_it_runs_as_a_module() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "gpucnn", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout == f"gpucnn {gpucnn.__version__}\n"


def test_a_wrong_command_line_gets_one_line(refused: Refused) -> None:
    assert "--epoch" in refused("train", "--epoch", "3")
    assert "--epochs" in refused("train", "--epochs", "many")
    assert "trian" in refused("trian")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "run/x"),
            "run/x: No space left on device",
        ),
        (MemoryError(), "not enough memory: use a smaller model, batch or set of images"),
        (gpucnn.GpucnnError("two\nlines"), "two lines"),
    ],
)
def test_an_error_gets_one_line(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    monkeypatch.setattr(main, "app", raising(error))
    assert refused() == f"gpucnn: error: {line}\n"


def test_ctrl_c_ends_with_130(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "app", raising(KeyboardInterrupt()))
    outcome = command()
    assert (outcome.status, outcome.err) == (130, "gpucnn: stopped\n")


def test_output_that_cannot_be_written_is_named(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "app", raising(OSError(errno.ENOSPC, "No space left")))
    assert refused() == "gpucnn: error: standard output: No space left\n"


def test_without_an_output_it_works_all_the_same() -> None:
    program = [sys.executable, "-m", "gpucnn", "notebook"]
    result = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *program], check=False)
    assert result.returncode == 0


def test_a_defect_is_not_hidden(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "app", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        command()
