"""Programs that are started in the ways that there are, in environments of all kinds."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from programs.conftest import DIGITS, Answer, Start, clean
from programs.program import HERE, MARK, script

UNGUARDED = HERE / "starts" / "unguarded.py"


@pytest.mark.parametrize("how", ["file", "input", "argument", "module"])
def test_a_script_without_a_guard(start: Start, known: dict[str, str], how: str) -> None:
    text = UNGUARDED.read_text()
    arguments, stdin = {
        "file": ([str(UNGUARDED)], ""),
        "input": (["-"], text),
        "argument": (["-c", text], ""),
        "module": (["-m", "starts.unguarded"], ""),
    }[how]
    told = clean(start(sys.executable, *arguments, stdin=stdin).finish())
    assert told.splitlines() == [
        f"trained {known['trained']}",
        f"predicted {known['predicted']}",
        "run once",
    ]


def test_a_layer_of_the_script(answer: Answer, known: dict[str, str]) -> None:
    trained = known["trained"]
    told = f"trained {trained}\nnot saved: 1 line\nloaded {trained}\n"
    assert answer("starts/own_layer.py") == told


def test_no_standard_streams(start: Start, known: dict[str, str]) -> None:
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    program = start(*closed, *script("starts/silent.py"))
    assert clean(program.finish()) == ""
    assert (program.work / "result").read_text() == f"trained {known['trained']}\n"


def test_an_almost_empty_environment(start: Start, known: dict[str, str]) -> None:
    # With what decides which of BLAS's kernels compute, and so the bytes, if it is set.
    of_blas = (name for name in os.environ if name.startswith("OPENBLAS_"))
    names = (MARK, DIGITS, "PYTHONPATH", "TMPDIR", *of_blas)
    kept = " ".join(f'{name}="${name}"' for name in names)
    bare = ["sh", "-c", f'exec env -i {kept} "$@"', "sh"]
    told = clean(start(*bare, *script("starts/unguarded.py")).finish())
    assert told.startswith(f"trained {known['trained']}\n")


def test_one_thread_by_omp(answer: Answer, known: dict[str, str]) -> None:
    told = answer("starts/default_threads.py", env={"OMP_NUM_THREADS": "1"})
    assert told == f"trained {known['one thread']}\n"


def test_one_thread_by_affinity(start: Start, known: dict[str, str]) -> None:
    core = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]
    told = clean(start(*core, *script("starts/default_threads.py")).finish())
    assert told == f"trained {known['one thread']}\n"


@pytest.mark.skipif(
    not (find_spec("nbclient") and find_spec("ipykernel")),
    reason="nbclient and ipykernel are not installed",
)
def test_a_notebook(answer: Answer, known: dict[str, str], tmp_path: Path) -> None:
    told = answer("starts/notebook.py", env={"HOME": str(tmp_path)}).splitlines()
    assert told == [
        *(f"{what} {known[what]}" for what in ("trained", "predicted", "trained twice")),
        f"trained {known['trained']}",
        "not saved: 1 line",
        f"loaded {known['trained']}",
    ]


def test_a_suite_of_tests_in_parallel(start: Start, known: dict[str, str]) -> None:
    suite = str(HERE / "starts" / "suite.py")
    options = ["-n", "2", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    options += ["--rootdir=.", "--basetemp=temporary"]
    program = start(
        *[sys.executable, "-m", "pytest", *options, suite],
        env={"TRAINED": known["trained"], "PREDICTED": known["predicted"]},
    )
    assert "2 passed" in clean(program.finish())
