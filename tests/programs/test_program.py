"""That a program which does wrong is found out."""

import sys
from pathlib import Path

import pytest

from programs import program
from programs.program import SHARED_MEMORY, Program

LEAVES_A_PROCESS = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
"""


def finish(text: str, folder: Path) -> None:
    Program([sys.executable, "-c", text], folder).finish()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LIMIT", 1)
    monkeypatch.setattr(program, "SETTLE", 0.1)


def test_a_hang_is_found_and_where(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"it hangs: Fatal Python error: Aborted\n.*"):
        finish("import time\ntime.sleep(60)", tmp_path)


def test_a_traceback_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        finish("1 / 0", tmp_path)


def test_a_process_that_is_left_is_found_and_ended(tmp_path: Path) -> None:
    left = Program([sys.executable, "-c", LEAVES_A_PROCESS], tmp_path)
    with pytest.raises(AssertionError, match=r"it leaves process .*time.sleep"):
        left.finish()
    left.process.wait()
    assert left.processes() == []


def test_a_temporary_file_that_is_left_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"it leaves .*/tmp/"):
        finish("import tempfile; tempfile.mkdtemp()", tmp_path)


def test_shared_memory_that_is_left_is_found(tmp_path: Path) -> None:
    file = SHARED_MEMORY / f"gpucnn-test-{tmp_path.name}"
    try:
        with pytest.raises(AssertionError, match=f"it leaves {file}"):
            finish(f"open({str(file)!r}, 'w').close()", tmp_path)
    finally:
        file.unlink()
