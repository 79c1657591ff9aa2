import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gpucnn.simulator import (
    Module,
    SimulatorError,
    sanitizer_environment,
    sanitizers,
    with_fixed_addresses,
)
from gpucnn.simulator.sanitizers import FAILED
from simulator.sources import line

SCRIPT = Path(__file__).with_name("faults.py")


def run(kind: str, name: str) -> subprocess.CompletedProcess[str]:
    command = with_fixed_addresses([sys.executable, str(SCRIPT), name])
    environment = sanitizer_environment(kind)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("kind", ["address", "thread"])
def test_correct_kernels_run_to_their_end(kind: str) -> None:
    done = run(kind, "correct")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize(
    ("kind", "name", "fault", "comment"),
    [
        ("address", "beyond_array", "heap-buffer-overflow", "array"),
        ("address", "beyond_static", "heap-buffer-overflow", "static"),
        ("address", "beyond_dynamic", "heap-buffer-overflow", "dynamic"),
        ("address", "before_dynamic", "heap-buffer-overflow", "dynamic"),
        ("address", "overflowing", "signed integer overflow", "overflow"),
        ("address", "misaligned", "misaligned address", "misaligned"),
        ("thread", "missing_barrier", "data race", "read too late"),
        ("thread", "shuffle_for_a_barrier", "data race", "not waited for"),
        ("thread", "vote_for_a_barrier", "data race", "not waited for either"),
        ("thread", "one_element", "data race", "by each block"),
    ],
)
def test_fault_is_reported_with_its_line(kind: str, name: str, fault: str, comment: str) -> None:
    done = run(kind, name)
    assert done.returncode == FAILED, done.stderr
    assert done.stdout == ""
    assert fault in done.stderr
    assert line("faults", comment) in done.stderr


def test_unknown_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SimulatorError) as caught:
        sanitizer_environment("memory")
    assert str(caught.value) == "there is no sanitizer 'memory': choose address or thread"
    monkeypatch.setenv("GPUCNN_SANITIZER", "memory")
    with pytest.raises(SimulatorError) as caught:
        Module("")
    assert str(caught.value) == (
        "GPUCNN_SANITIZER=memory is not known: set it to address or thread"
    )


@pytest.mark.parametrize("kind", ["address", "thread"])
def test_sanitizer_that_was_not_there_from_the_start(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("GPUCNN_SANITIZER", kind)
    with pytest.raises(SimulatorError) as caught:
        Module("")
    assert str(caught.value) == (
        f"GPUCNN_SANITIZER={kind}, but its library was not loaded when Python started: start "
        f"Python in the environment that gpucnn.simulator.sanitizer_environment('{kind}') gives"
    )


def test_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sanitizers._LIBRARIES, "thread", ("libnone.so",))
    with pytest.raises(SimulatorError, match=r"^libnone\.so of the compiler .* is missing: "):
        sanitizer_environment("thread")


def test_environment_is_this_process_with_a_sanitizer() -> None:
    environment = sanitizer_environment("address")
    assert environment["GPUCNN_SANITIZER"] == "address"
    assert "asan" in environment["LD_PRELOAD"]
    assert os.environ.items() <= environment.items()


def test_command_with_fixed_addresses() -> None:
    command = with_fixed_addresses(["echo", "said"])
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"said\n"
    assert command[-2:] == ["echo", "said"]


def test_no_command_for_fixed_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    sanitizers._prefix.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert with_fixed_addresses(["echo"]) == ["echo"]
    sanitizers._prefix.cache_clear()
