"""`pytest --cuda-sanitizer`: the suite in a Python that a sanitizer watches from its start."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gpucnn.commands.simulated_tests import RAN
from gpucnn.simulator import SimulatorError, sanitizer_environment, with_fixed_addresses
from gpucnn.simulator.sanitizers import FAILED

_OPTIONS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
_NO_TESTS = 5  # pytest's exit status if none is left


def run_sanitized(kind: str, invocation: pytest.Config.InvocationParams) -> int:
    """Run the suite under a sanitizer, and print the faults that it found.

    Args:
        kind: `address` or `thread`.
        invocation: how pytest was called.

    Returns:
        The exit status: 1 if there was a fault, else pytest's.

    Raises:
        UsageError: the sanitizer is not installed.
    """
    faults = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        ran, report = folder / "ran", folder / "report"
        ran.touch()
        try:
            environment = sanitizer_environment(kind) | {RAN: str(ran)}
        except SimulatorError as error:
            raise pytest.UsageError(str(error)) from None
        for each in _OPTIONS:
            environment[each] += f":log_path={report}"
        command = with_fixed_addresses([sys.executable, "-m", "pytest", *map(str, invocation.args)])
        while True:
            before = ran.read_text()
            status = subprocess.run(command, env=environment, cwd=invocation.dir).returncode
            begun = ran.read_text()
            if status != FAILED or begun == before:
                break
            faults.append((begun.splitlines()[-1], _reports(folder)))
    for test, text in faults:
        print(f"\nFAILED {test}: the {kind} sanitizer has found a fault\n{text}", flush=True)
    return 1 if faults and status in (0, _NO_TESTS) else status


def _reports(folder: Path) -> str:
    """What the sanitizer has written, which is then deleted."""
    texts = []
    for file in sorted(folder.glob("report.*")):
        texts.append(file.read_text(errors="replace"))
        file.unlink()
    _, begin, text = "\n".join(texts).partition("==ERROR: ")
    return begin[2:] + text.partition("Shadow bytes around")[0].strip() or "\n".join(texts)
