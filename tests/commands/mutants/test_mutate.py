"""`gpucnn mutate`, on a kernel with a small suite."""

import json
import sys
from pathlib import Path

import pytest

from commands.conftest import Command, Refused
from gpucnn.commands.mutants import results, trials

KERNEL = """extern "C" __global__ void sums(const float* x, float* out, int n)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] + x[i + n];
}
"""

SUITE = """
import json
import os
from pathlib import Path

import numpy as np
from gpucnn.simulator import Module

def sums(n):
    x, out = np.arange(2 * n, dtype=np.float32), np.zeros(n, np.float32)
    kernel = Module(Path("sums.cu")).get_function("sums")
    kernel((2,), (4,), (x, out, np.int32(n)))
    np.testing.assert_array_equal(out, x[:n] + x[n:])

def test_sums():
    sums(8)

def test_other():
    folder = Path(os.environ["GPUCNN_MUTATION"])
    assert json.loads((folder / "parts.json").read_text())["mutated"] is None
"""

TESTS = (sys.executable, "-m", "pytest", "-q", "-p", "no:xdist")

SHOWN = """sums.cu:4: survived (guard)
  - if (i < n) out[i] = x[i] + x[i + n];
  + if (true) out[i] = x[i] + x[i + n];
"""


@pytest.fixture(autouse=True)
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a kernel and its tests, and the cache in another."""
    monkeypatch.setattr(results, "user_cache_folder", lambda: tmp_path / ".cache")
    (tmp_path / "sums.cu").write_text(KERNEL)
    (tmp_path / "test_sums.py").write_text(SUITE)
    return tmp_path


def test_survivors_are_shown_until_a_comment_accepts_them(command: Command, suite: Path) -> None:
    """The test that launches no kernel would fail with any mutant: it is run without one alone."""
    before = {path: path.read_bytes() for path in suite.iterdir() if path.is_file()}
    found = command("mutate", "sums.cu:4", "--share", "1/2", "--json", "out.json", "--", *TESTS)
    assert found.status == 1, found.err
    assert found.out.startswith("4 mutants, 0 of them tried before\n")
    assert SHOWN in found.out
    assert found.out.count(": survived (") == 1
    report = json.loads((suite / "out.json").read_text())
    assert report["command"] == list(TESTS)
    killed = [each for each in report["mutants"] if each["outcome"] == "killed"]
    assert {each["reason"] for each in killed} == {"test_sums.py::test_sums"}
    assert len(killed) == 3
    after = {path: path.read_bytes() for path in before}
    assert after == before

    (suite / "sums.cu").write_text(KERNEL.replace("n];", "n];  // mutant: all sizes are multiples"))
    again = command("mutate", "sums.cu:4", "--share", "1/2", "--", *TESTS)  # from the cache
    assert (again.status, again.err) == (0, "")
    assert again.out.startswith("4 mutants, 4 of them tried before\n")
    assert again.out.splitlines()[-1].split() == ["sums.cu", "4", "3", "1"]


def test_what_does_not_end_or_compile_is_told_apart(
    command: Command, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "PATIENCE", 0)
    (suite / "ends.cu").write_text(
        'extern "C" __global__ void ends(int* x)\n{\n    while (*x < 9) *x += 1;\n'
        "    *x = (int)(x - x);\n}\n"
    )
    script = suite / "run.py"
    script.write_text(
        "from pathlib import Path\nimport numpy as np\nfrom gpucnn.simulator import Module\n"
        "ends = Module(Path('ends.cu'), checked=False).get_function('ends')\n"
        "ends((1,), (1,), (np.array([8], np.int32),))\n"
    )
    found = command("mutate", "ends.cu", "--json", "out.json", "--", sys.executable, script)
    by_old = {
        (each["old"], each["new"]): (each["outcome"], each["reason"])
        for each in json.loads((suite / "out.json").read_text())["mutants"]
    }
    kind, reason = by_old["+=", "-="]
    assert (kind, reason[:9]) == ("killed", "no end in")
    kind, reason = by_old["-", "+"]
    assert (kind, reason[:12]) == ("not compiled", "ends.cu:4: i")
    assert by_old["9", "10"] == ("survived", "")
    assert found.status == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sums.cu"], "no command runs the tests"),
        (["sums.cu", "--"], "no command runs the tests"),
        (["other.cu", "--", "true"], "other.cu: No such file or directory"),
        (["sums.cu:1", "--", "true"], "sums.cu:1 has nothing that a mutant changes"),
        (["sums.cu", "--share", "3/2", "--", "true"], "--share is 3/2: give it as 2/4"),
        (["sums.cu", "--json", "no/out.json", "--", "true"], "there is no folder no"),
        (["sums.cu", "--", "false"], "the command fails without any mutant, with status 1"),
        (["sums.cu", "--", "true"], "compiles nothing of sums.cu"),
        (["sums.cu", "--", "no-such-program"], "no-such-program cannot be started"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], message: str, refused: Refused) -> None:
    assert message in refused("mutate", *arguments)
