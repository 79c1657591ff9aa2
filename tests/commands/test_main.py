import errno
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import gpucnn
from commands.conftest import Command, Refused
from gpucnn.commands import app


def raising(error: BaseException) -> object:
    def fail(standalone_mode: bool) -> None:
        raise error

    return fail


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
    monkeypatch.setattr(app, "app", raising(error))
    assert refused() == f"gpucnn: error: {line}\n"


def test_nothing_that_a_terminal_obeys_is_printed(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "app", raising(gpucnn.GpucnnError("\x1b[2Jgone\x07")))
    assert refused() == "gpucnn: error: \\x1b[2Jgone\\x07\n"


def test_what_others_warn_of_is_shown_as_python_shows_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warn(standalone_mode: bool) -> None:
        warnings.warn("be careful", stacklevel=1)

    shown: list[str] = []
    monkeypatch.setattr(app, "app", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda each, *_: shown.append(str(each)))
        assert command().err == ""
    assert shown == ["be careful"]


IMPORTED = """
import time
print("importing", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("module", ["numpy", "typer"])
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(["-m", "gpucnn"], id="module"),
        pytest.param(["-c", "from gpucnn.commands.main import main; main()"], id="script"),
    ],
)
def test_ctrl_c_while_it_is_imported_ends_with_130(
    tmp_path: Path, module: str, start: list[str]
) -> None:
    (tmp_path / f"{module}.py").write_text(IMPORTED)  # in the place of one that takes long
    process = subprocess.Popen(
        [sys.executable, *start, "--version"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (130, "gpucnn: stopped\n")


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.default_int_handler])
def test_ctrl_c_is_seen_to_as_before_once_all_is_imported(command: Command, handler: Any) -> None:
    before = signal.signal(signal.SIGINT, handler)
    try:
        command("--version")
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_with_130(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "app", raising(KeyboardInterrupt()))
    outcome = command()
    assert (outcome.status, outcome.err) == (130, "gpucnn: stopped\n")


def test_output_that_cannot_be_written_is_named(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "app", raising(OSError(errno.ENOSPC, "No space left")))
    assert refused() == "gpucnn: error: standard output: No space left\n"


def test_without_an_output_it_works_all_the_same() -> None:
    program = [sys.executable, "-m", "gpucnn", "notebook"]
    result = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *program], check=False)
    assert result.returncode == 0


def test_a_defect_is_not_hidden(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "app", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        command()
