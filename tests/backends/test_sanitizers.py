"""The kernels of the contract's calls under the compilers' sanitizers.

Each takes a process of its own, see `gpucnn.simulator.sanitizer_environment`; that they catch what
they are there for is shown by planted faults in `tests/simulator`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from gpucnn.simulator import sanitizer_environment, with_fixed_addresses

ROOT = Path(__file__).parents[2]

# Calls of a fixed size, in one order of the threads: the others run without sanitizers.
IN_ORDER = "simulator and not reversed and not shuffled"

TESTS = {
    "address": ["test_contract.py", "test_cuda.py", "-k", f"repeats and {IN_ORDER} or every_shape"],
    "thread": ["test_contract.py", "-k", f"repeats and {IN_ORDER} and float32"],
}


@pytest.mark.parametrize("kind", TESTS)
def test_kernels_are_clean(kind: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        with_fixed_addresses([*command, *TESTS[kind]]),
        cwd=ROOT / "tests" / "backends",
        env=sanitizer_environment(kind),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
