import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from commands.conftest import Command


def test_it_lists_the_devices(command: Command) -> None:
    outcome = command("devices")
    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert {line.split()[0].split(":")[0] for line in lines} == {"cuda", "cpu", "simulator"}
    assert f"NumPy {np.__version__}" in lines[-2]


def test_it_says_why_a_device_cannot_be_used(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setenv("CXX", "no-such-compiler")
    gpu, _, simulator = command("devices").out.splitlines()
    assert gpu.startswith("cuda  cannot be used: CuPy is not installed: pip install")
    assert simulator.startswith("simulator  cannot be used: no C++ compiler found")


def test_folder_called_cupy(tmp_path: Path) -> None:
    (tmp_path / "cupy").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "gpucnn", "devices"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stdout.startswith(f"cuda  cannot be used: {tmp_path}/cupy is imported as CuPy")
    assert done.stderr == ""
