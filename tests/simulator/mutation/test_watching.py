"""Mutants in the place of what a process compiles."""

import json
from pathlib import Path

import numpy as np
import pytest

from gpucnn.simulator import Module, SimulatorError, library
from gpucnn.simulator.mutation import watching
from gpucnn.simulator.mutation.equality import is_equal
from gpucnn.simulator.mutation.mutants import mutants_of, parts_of

HEADER = """#pragma once
__device__ inline int added(int a)
{
    return a + 1;
}
"""

KERNEL = """#include "sub/added.h"
#include "sub/added.h"
extern "C" __global__ void add(int* x)
{
    x[threadIdx.x] = added(x[threadIdx.x]);
}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with a kernel, and a header in a folder of it."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "added.h").write_text(HEADER)
    (tmp_path / "add.cu").write_text(KERNEL)
    return tmp_path


def watch(folder: Path, monkeypatch: pytest.MonkeyPatch, parts: list[str], mutated: str) -> None:
    watching.prepare(folder, parts, mutated or None)
    monkeypatch.setenv(watching.VARIABLE, str(folder))


def sums(source: str | Path, *options: str) -> list[int]:
    x = np.arange(3, dtype=np.int32)
    Module(source, options).get_function("add")((1,), (3,), (x,))
    found: list[int] = x.tolist()
    return found


def test_a_mutant_takes_the_place_of_a_header(
    sources: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sums(sources / "add.cu") == [1, 2, 3]
    folder = tmp_path_factory.mktemp("watched")
    watch(folder, monkeypatch, [HEADER], HEADER.replace("+ 1", "+ 2"))
    assert sums(sources / "add.cu") == [2, 3, 4]
    assert sums(KERNEL, f"-I{sources}") == [2, 3, 4]
    assert sums('extern "C" __global__ void add(int* x) { }') == [0, 1, 2]
    libraries = [Path(line) for line in (folder / "libraries").read_text().split()]
    assert [each.exists() for each in libraries] == [True, True]
    watching.remove_libraries(folder)
    assert [each.exists() for each in libraries] == [False, False]


def test_the_translation_of_a_mutant_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = HEADER + KERNEL.partition("\n")[2].partition("\n")[2]
    watch(tmp_path, monkeypatch, [HEADER], HEADER.replace("+ 1", "+ 2"))
    monkeypatch.setattr(library, "cached_text", None)
    assert sums(source) == [2, 3, 4]
    watch(tmp_path, monkeypatch, [HEADER], HEADER)
    watching._watch.cache_clear()
    with pytest.raises(SimulatorError, match=r"^source\.cu:8: "):
        sums(source.replace("added(x", "adds(x"))


def test_a_mutant_that_does_not_compile_is_noted(
    sources: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("watched")
    watch(folder, monkeypatch, [HEADER], HEADER.replace("+ 1", "+ b"))
    with pytest.raises(SimulatorError):
        sums(sources / "add.cu")
    refusal = watching.refusal(folder)
    assert refusal is not None
    assert f"{sources}/sub/added.h:4: 'b' was not declared" in refusal


def test_sources_and_tests_are_noted(
    sources: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("watched")
    watch(folder, monkeypatch, ["another", HEADER], "")
    add = Module(sources / "add.cu").get_function("add")
    assert watching.launching_tests(folder, 1) == set()
    for test in ("a.py::test[ (x)] (call)", "a.py::test_b (call)", "a.py::test_b (call)"):
        monkeypatch.setenv("PYTEST_CURRENT_TEST", test)
        add((1,), (3,), (np.zeros(3, np.int32),))
    assert watching.launching_tests(folder, 1) == {"a.py::test[ (x)]", "a.py::test_b"}
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "a.py::test_c (setup)")
    add((1,), (3,), (np.zeros(3, np.int32),))
    assert "" in watching.launching_tests(folder, 1)
    assert watching.launching_tests(folder, 0) == set()
    (source,) = watching.sources(folder)
    assert source.parts == (1,)
    monkeypatch.delenv(watching.VARIABLE)
    assert sums(source.text, *source.options) == [1, 2, 3]


def test_what_compiles_to_the_same_is_equal(tmp_path: Path) -> None:
    file = tmp_path / "a.cu"
    file.write_text(
        'extern "C" __global__ void f(int* x)\n{\n    x[threadIdx.x] = 3 & 3;\n'
        "    __syncthreads();\n    x[threadIdx.x + 32] = 0;\n}\n"
    )
    (part,) = parts_of(file)
    by_old = {each.old: each for each in mutants_of(part)}
    source = watching.Source((0,), part.text, (), ())
    assert is_equal(by_old["&"], [source])
    assert not is_equal(by_old["__syncthreads()"], [source])
    assert json.loads(json.dumps(source))[1] == part.text
