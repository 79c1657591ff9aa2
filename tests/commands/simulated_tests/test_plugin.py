"""`pytest --cuda-simulator`, on a small suite."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

KERNEL = """extern "C" __global__ void last(int* x)
{
    atomicExch(x, threadIdx.x);
}
extern "C" __global__ void fill(int* x, int a)
{
    x[threadIdx.x] = a;
}
"""

SUITE = """
from pathlib import Path

import cupy as cp

SOURCE = Path(__file__).with_name("last.cu").read_text()

def test_last():
    x = cp.zeros(1, dtype=cp.int32)
    cp.RawKernel(SOURCE, "last")((1,), (8,), (x,))
    assert x.item() == 7

def test_fill():
    x = cp.zeros(4, dtype=cp.int32)
    cp.RawKernel(SOURCE, "fill")((1,), (4,), (x, 3))
    assert (x == 3).all()
"""

BROKEN = '''
def test_broken():
    cp.RawKernel(r"""
extern "C" __global__ void broken()
{
    int x = nothing;
}
""", "broken")((1,), (1,), ())
'''

BEYOND = """
def test_beyond():
    x = cp.zeros(4, dtype=cp.int32)
    cp.RawKernel(SOURCE, "fill")((1,), (5,), (x, 3))

def test_behind():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder with a suite that imports CuPy before its first test."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text("import cupy\n")
    (tmp_path / "last.cu").write_text(KERNEL)
    (tmp_path / "test_suite.py").write_text(SUITE)
    return tmp_path


def run_suite(folder: Path, *options: str) -> tuple[int, str]:
    """The exit status of pytest in a folder, and what it printed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_suite_runs_without_a_gpu(suite: Path) -> None:
    status, text = run_suite(suite, "--cuda-simulator")
    assert status == 0, text
    assert "CUDA: simulated on the CPU, threads in order forward" in text
    assert "2 passed" in text


def test_the_command_of_the_documentation_runs(suite: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "cupy.md").read_text()
    (line,) = (each for each in page.splitlines() if "run: pytest" in each)
    status, text = run_suite(suite, *shlex.split(line)[3:])
    assert status == 1
    assert "1 failed, 5 passed" in text  # `last` in the order reversed


def test_each_test_runs_in_each_order(suite: Path) -> None:
    with (suite / "test_suite.py").open("a") as file:
        file.write(BROKEN)
    status, text = run_suite(suite, "--cuda-simulator", "--cuda-orders=forward,reversed")
    assert status == 1
    assert "3 failed, 3 passed" in text
    assert "FAILED test_suite.py::test_last - threads in order reversed: " in text
    line = (SUITE + BROKEN).splitlines().index("    int x = nothing;") + 1
    assert f"test_suite.py:{line}: 'nothing' was not declared" in text
    assert "raw.py" not in text


def test_nothing_is_imported_without_the_option(suite: Path) -> None:
    status, text = run_suite(suite)
    assert status == 4
    assert "No module named 'cupy'" in text
    (suite / "conftest.py").unlink()
    (suite / "test_suite.py").write_text(
        "import sys\ndef test():\n    assert not {'numpy', 'gpucnn.simulator'} & set(sys.modules)\n"
    )
    plugins = ["-p", "no:hypothesispytest", "-p", "no:anyio"]
    status, text = run_suite(suite, *plugins)
    assert status == 0, text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cuda-orders=reversed"], "--cuda-orders and --cuda-sanitizer need --cuda-simulator"),
        (["--cuda-simulator", "--cuda-orders=up"], "'up' is no order: give forward, reversed, or"),
    ],
)
def test_options_that_cannot_be(suite: Path, options: list[str], message: str) -> None:
    status, text = run_suite(suite, *options)
    assert status == 4
    assert message in text
    assert "Traceback" not in text


def test_a_sanitizer_fails_the_test_and_goes_on_behind_it(suite: Path) -> None:
    with (suite / "test_suite.py").open("a") as file:
        file.write(BEYOND)
    status, text = run_suite(
        suite, "--cuda-simulator", "--cuda-sanitizer=address", "-k", "be or fill"
    )
    assert status == 1, text
    assert "FAILED test_suite.py::test_beyond: the address sanitizer has found a fault" in text
    assert "ERROR: AddressSanitizer: heap-buffer-overflow" in text
    assert "last.cu:7" in text
    assert "1 passed, " in text
    assert "test_behind" not in text
