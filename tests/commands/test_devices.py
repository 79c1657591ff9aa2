import sys

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
