"""The kernels of the contract's calls under the compilers' sanitizers.

Each takes a process of its own, see `gpucnn.simulator.sanitizer_environment`; that they catch what
they are there for is shown by planted faults in `tests/simulator`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from gpucnn.simulator import sanitizer_environment, with_fixed_addresses
from gpucnn.simulator.sanitizers import FAILED

ROOT = Path(__file__).parents[2]

# Calls of a fixed size, and sums and products that are shared out, in one order of the threads: the
# others run without sanitizers. The thread sanitizer takes its time for each thread.
CALLS = "repeats and simulator and not reversed and not shuffled"
SHARED_OUT = "(every_shape or every_tiling) and forward"

TESTS = {
    "address": f"{CALLS} or {SHARED_OUT}",
    "thread": f"float32 and ({CALLS} or {SHARED_OUT} and (sums or True-False))",
}


@pytest.mark.parametrize("kind", TESTS)
def test_kernels_are_clean(kind: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        with_fixed_addresses(
            [*command, "test_contract.py", "cuda/test_backend.py", "-k", TESTS[kind]]
        ),
        cwd=ROOT / "tests" / "backends",
        env=sanitizer_environment(kind),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_the_last_block_sees_what_the_others_wrote() -> None:
    assert sum_over_blocks("with fences").returncode == 0
    without = sum_over_blocks("without fences")
    assert without.returncode == FAILED
    assert "data race" in without.stderr


def sum_over_blocks(fences: str) -> subprocess.CompletedProcess[str]:
    """Run a sum over blocks under the thread sanitizer."""
    return subprocess.run(
        with_fixed_addresses([sys.executable, "cuda/last_block.py", fences]),
        cwd=ROOT / "tests" / "backends",
        env=sanitizer_environment("thread"),
        capture_output=True,
        text=True,
    )
