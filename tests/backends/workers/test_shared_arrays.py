"""Arrays that this process shares with workers."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from gpucnn.backends.workers import shared_arrays
from gpucnn.backends.workers.shared_arrays import SharedArrays

KINDS: dict[str, Any] = {
    "a": ((2, 3), "float32"),
    "nothing": ((0, 4), "int64"),
    "b": ((5,), np.int64),
}


def test_are_of_zeros_and_of_the_kinds_asked_for() -> None:
    arrays = SharedArrays(KINDS)
    for name, (shape, dtype) in KINDS.items():
        assert_array_equal(arrays[name], np.zeros(shape, dtype), strict=True)
        assert arrays[name].flags.writeable


def test_do_not_overlap() -> None:
    arrays = SharedArrays(KINDS)
    for number, array in enumerate(arrays.values(), 1):
        array.fill(number)
    assert [set(array.ravel().tolist()) for array in arrays.values()] == [{1}, set(), {3}]


@pytest.mark.parametrize("has_memfd", [True, False])
def test_are_the_same_memory_where_they_are_unpickled(
    has_memfd: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_memfd:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    arrays = SharedArrays(KINDS)
    others = pickle.loads(pickle.dumps(arrays))
    arrays["a"][...] = 7
    others["b"][...] = 8
    assert_array_equal(others["a"], 7)
    assert_array_equal(arrays["b"], 8)


@pytest.mark.parametrize("has_memfd", [True, False])
def test_copies_are_found_where_they_are_unpickled(
    has_memfd: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_memfd:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    reals = np.arange(6, dtype=np.float32).reshape(2, 3)
    given: dict[str, NDArray[Any]] = {
        "reals": reals,
        "nothing": np.empty((0, 4), np.int64),
        "every other": reals.T[::2],
    }
    copies = SharedArrays.copies(given)
    reals[...] = -1
    found = pickle.loads(pickle.dumps(copies))
    assert_array_equal(found["reals"], [[0, 1, 2], [3, 4, 5]])
    assert_array_equal(found["every other"], [[0, 3], [2, 5]])
    assert {name: (a.shape, a.dtype) for name, a in found.items()} == {
        name: (a.shape, a.dtype) for name, a in given.items()
    }


def test_copies_are_written_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system writes as much at once as it likes."""
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: write(file, data[:7], at))
    copies = SharedArrays.copies({"a": np.arange(10)})
    found = pickle.loads(pickle.dumps(copies))
    assert found["a"].tolist() == list(range(10))


def test_are_written_to_by_another_process() -> None:
    arrays = SharedArrays(KINDS)
    code = "import pickle, sys; arrays = pickle.load(sys.stdin.buffer); arrays['b'][...] = range(5)"
    subprocess.run([sys.executable, "-c", code], input=pickle.dumps(arrays), check=True)
    assert arrays["b"].tolist() == [0, 1, 2, 3, 4]


def test_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arrays = SharedArrays(KINDS)
    assert len(list(tmp_path.iterdir())) == 1
    del arrays
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="of Linux")
def test_close_their_file() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        SharedArrays(KINDS)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_that_are_not_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[str, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(shared_arrays, "_new_file", refuse)
    with pytest.raises(OSError, match="Too many"):
        SharedArrays(KINDS)
