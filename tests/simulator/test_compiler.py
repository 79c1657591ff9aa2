import platform
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import Module, SimulatorError, find_compiler
from gpucnn.simulator import compiler as compilers

KERNEL = 'extern "C" __global__ void one(int* x)\n{\n    *x = 1;\n}\n'


def error_of(source: str | Path, *options: str) -> str:
    with pytest.raises(SimulatorError) as caught:
        Module(source, options)
    return str(caught.value)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache."""
    monkeypatch.setattr("gpucnn.utils.storage.cache.user_cache_path", lambda name: tmp_path / name)
    return tmp_path / "gpucnn" / "simulator"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The calls of the compiler."""
    calls = []
    run = subprocess.run

    def record(command: Any, **settings: Any) -> Any:
        calls.append([*map(str, command)])
        return run(command, **settings)

    monkeypatch.setattr(subprocess, "run", record)
    return calls


def compiled(calls: list[list[str]]) -> int:
    return sum("-shared" in call for call in calls)


def test_source_is_compiled_once(cache: Path, calls: list[list[str]]) -> None:
    Module(KERNEL)
    first = compiled(calls)
    assert first >= 1
    Module(KERNEL, order="reversed")
    assert compiled(calls) == first
    Module(KERNEL, ("-DUNUSED",))
    assert compiled(calls) == first + 1
    assert len(list(cache.glob("*-module.so"))) == 2


def test_included_file_that_has_changed_is_compiled(
    cache: Path, calls: list[list[str]], tmp_path: Path
) -> None:
    source, header = tmp_path / "kernel.cu", tmp_path / "number.cuh"
    source.write_text('#include "number.cuh"\n' + KERNEL.replace("1", "NUMBER"))
    header.write_text("#define NUMBER 1\n")
    Module(source)
    first = compiled(calls)
    header.write_text("#define NUMBER 2\n")
    Module(source)
    assert compiled(calls) == first + 1


def test_compiler_with_other_options_compiles_anew(
    cache: Path, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Module(KERNEL)
    first = compiled(calls)
    command = " ".join(find_compiler().command)
    monkeypatch.setenv("CXX", f"{command} -DUNUSED")
    Module(KERNEL)
    assert compiled(calls) == first + 1


def test_another_machine_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = find_compiler()
    key = compiler.key
    monkeypatch.setattr(platform, "machine", lambda: "another")
    assert compiler.key != key


def test_another_processor_has_another_key() -> None:
    compiler = find_compiler()
    assert f"__{platform.machine()}__" in compiler.macros
    assert replace(compiler, macros="").key != compiler.key


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    compilers._find.cache_clear()
    with pytest.raises(SimulatorError) as caught:
        find_compiler()
    assert str(caught.value) == (
        "no C++ compiler found (g++, clang++, c++): install g++ or clang++, or set CXX to one"
    )


def test_compiler_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    command = find_compiler().command
    monkeypatch.setenv("CXX", f"{shutil.which(command[0])} -v")
    assert find_compiler().command == (shutil.which(command[0]), "-v")
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        SimulatorError, match=r"^no C\+\+ compiler found \(CXX=no-such-compiler\): "
    ):
        find_compiler()


@pytest.mark.parametrize("chosen", [" ", "'", '"g++', "''"])
def test_compiler_that_is_no_command(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.setenv("CXX", chosen)
    with pytest.raises(SimulatorError) as caught:
        find_compiler()
    assert str(caught.value) == (
        f"CXX={chosen!r} is no command: set it to a C++ compiler, or unset it"
    )


def test_compiler_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "g++"
    command.write_text("no program")
    command.chmod(0o700)
    monkeypatch.setenv("CXX", str(command))
    with pytest.raises(SimulatorError) as caught:
        find_compiler()
    assert str(caught.value) == (
        f"the C++ compiler {command} cannot be started (Exec format error): install g++ or "
        "clang++, or set CXX to one"
    )


def test_a_system_without_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpucnn.simulator.compiler.os", SimpleNamespace(name="nt"))
    with pytest.raises(SimulatorError, match=r"^the simulator does not run on this system"):
        find_compiler()


def test_compiler_that_says_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "true -x")
    assert find_compiler().version == "true -x"


def test_version_is_one_line() -> None:
    version = find_compiler().version
    assert version
    assert "\n" not in version


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("int x = ;", "source.cu:1: "),
        ("\n#define A int x = ;\nA\n", "source.cu:3: "),
        (f"{KERNEL}\n__global__ void two(int* x)\n{{\n    *x = y;\n}}\n", "source.cu:8: "),
        ("\n\n#error no\n", "source.cu:3: "),
        (
            "\n__global__ void a()\n{\n    extern __shared__ float\n        x[];\n    x = y;\n}\n",
            "source.cu:6: ",
        ),
    ],
)  # fmt: skip
def test_error_in_the_source(source: str, line: str) -> None:
    error = error_of(source)
    assert error.startswith(line)
    assert error.endswith(": correct the source, or its options")
    assert "\n" not in error


def test_error_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "kernel.cu").write_text('#include "header.cuh"\n')
    (tmp_path / "header.cuh").write_text("\nint x = ;\n")
    assert error_of(tmp_path / "kernel.cu").startswith(f"{tmp_path}/header.cuh:2: ")


@pytest.mark.parametrize(
    ("report", "line"),
    [
        ("note\ncc1plus: fatal error: Killed\n", "cc1plus: fatal error: Killed"),
        ("ld: undefined reference to x\n", "ld: undefined reference to x"),
        ("Killed\n", "Killed"),
        ("", "without a word"),
    ],
)
def test_error_without_a_line(report: str, line: str) -> None:
    assert compilers._first_error(report) == f"the C++ compiler failed: {line}"


def test_error_while_the_ends_of_processes_are_ignored() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert error_of("int x = ;").startswith("source.cu:1: ")
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_source_that_is_no_utf_8(tmp_path: Path) -> None:
    source = tmp_path / "kernel.cu"
    source.write_bytes(KERNEL.replace("*x = 1", '*x = sizeof("\xe4")').encode("latin-1"))
    x = np.zeros(1, np.int32)
    Module(source).get_function("one")((1,), (1,), (x,))
    assert x == 2
    source.write_bytes(KERNEL.replace("*x = 1", "*x = \xe4").encode("latin-1"))
    assert error_of(source).isprintable()


def test_included_files_are_looked_for_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "number.cuh").write_text("#define NUMBER 1\n")
    monkeypatch.chdir(tmp_path)
    source = '#include "number.cuh"\n' + KERNEL.replace("1", "NUMBER")
    assert Module(source, ("-Iinclude",)).get_function("one")


def test_function_that_is_not_defined() -> None:
    error = error_of("void undefined(); __global__ void a() { undefined(); }")
    assert error.startswith("the compiled kernels cannot be loaded, undefined symbol: ")
    assert error.endswith(": define all functions that are called")


def test_missing_file() -> None:
    assert error_of(Path("no.cu")) == ("there is no file no.cu: give the path of a CUDA C source")


@pytest.mark.parametrize("option", ["-O3", "-D", "--use_fast_math", "-std=c++11", "x"])
def test_unknown_option(option: str) -> None:
    assert error_of(KERNEL, option) == (
        f"the option {option} is not one of the simulator's: give -DNAME=VALUE, -UNAME, -IFOLDER, "
        "-std=c++17 or -std=c++20"
    )
