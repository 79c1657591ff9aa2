import io
import sys
from dataclasses import dataclass

import pytest

from commands.conftest import Command, Refused
from gpucnn.backends.backend import KERNELS
from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.cuda.machine_code import nvrtc
from gpucnn.backends.cuda.machine_code.nvrtc import ARCHITECTURES, Compiled, Resources
from gpucnn.backends.cuda.machine_code.resources import Compilation
from gpucnn.commands.devices import kernels

LONG = "a_kernel_whose_name_is_longer_than_most"


def kernel(name: str, *, function: str, threads: int, tile: int) -> Kernel:
    made = Kernel(f"{function}.cu", {}, lambda _: (1,), threads, {"TILE": tile}, (), function)
    made.name = name
    return made


TABLE = (
    kernel("multiply", function="multiply", threads=1024, tile=12),
    kernel(LONG, function="multiply", threads=64, tile=12),
    kernel("copy", function="copy", threads=256, tile=1),
)


@dataclass
class Made:
    """A stand-in for what the compiler makes."""

    resources: dict[str, Resources]


def compiled(self: Compilation) -> Made:
    """A stand-in for the compiler: registers depend on the architecture, memory on the tile."""
    registers = int(self.architecture.removeprefix("sm_"))
    if self.file == "copy.cu":
        spilled = 16 if self.architecture == "sm_90" else 0
        needs = Resources(registers, 0, spilled, spilled - spilled // 4, spilled // 2)
        return Made({"copy": needs})
    (tile,) = (int(each.split("=")[1]) for each in self.options if each.startswith("-DTILE="))
    return Made({"multiply": Resources(registers, tile * 1024, 0, 0, 0)})


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Compilation]:
    """A table of three kernels and a fast compiler; the list of its compilations."""
    done: list[Compilation] = []

    def run(self: Compilation) -> Made:
        done.append(self)
        return compiled(self)

    monkeypatch.setattr(kernels, "KERNELS", {each.name: each for each in TABLE})
    monkeypatch.setattr(Compilation, "run", run)
    return done


def rows(output: str, name: str) -> list[list[str]]:
    """The rest of each line that begins with the name, except remarks."""
    lines = [line.split() for line in output.splitlines()]
    return [line[1:] for line in lines if line[:1] == [name] and "on" not in line]


@pytest.mark.usefixtures("compilations")
def test_it_shows_what_each_kernel_needs_of_each_architecture(command: Command) -> None:
    outcome = command("kernels")
    assert outcome.status == 0
    assert "3 kernels on float32 for 7 architectures" in outcome.out
    assert f"NVRTC {nvrtc.version()}" in outcome.out
    assert rows(outcome.out, "kernel") == [
        list(ARCHITECTURES),
        ["block", "shared", *ARCHITECTURES],
    ]
    registers = ["75", "80", "86", "89", "90", "100", "120"]
    assert rows(outcome.out, "multiply") == [
        registers,
        ["1,024", "12,288", "0%", "0%", "0%", "0%", "0%", "0%", "0%"],
    ]
    assert rows(outcome.out, LONG) == [
        registers,
        ["64", "12,288", "31%", "38%", "29%", "29%", "31%", "25%", "29%"],
    ]


@pytest.mark.usefixtures("compilations")
def test_shared_memory_that_differs_is_told(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: Compilation) -> Made:
        needs = Resources(32, 1024 if self.architecture == "sm_75" else 2048, 0, 0, 0)
        return Made({"copy": needs, "multiply": needs})

    monkeypatch.setattr(Compilation, "run", run)
    assert "1,024 or 2,048" in command("kernels").out


@pytest.mark.usefixtures("compilations")
def test_of_a_kernel_compiled_for_sizes_it_shows_what_suffices_for_its_samples(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = ({"tile": 12}, {"tile": 48}, {"tile": 1})
    made = Kernel("multiply.cu", {}, lambda _: (1,), 64, {}, (), None, ("tile",), lambda _: samples)
    made.name = "multiply"
    monkeypatch.setattr(kernels, "KERNELS", {"multiply": made})
    out = command("kernels").out
    assert "1 kernels" in out
    _, (block, shared, *_) = rows(out, "multiply")
    assert (block, shared) == ("64", "49,152")


@pytest.mark.usefixtures("compilations")
def test_it_says_what_is_spilled(command: Command) -> None:
    lines = command("kernels").out.splitlines()
    assert lines[-1] == (
        "copy on sm_90: 16 bytes of stack for each thread, 12 bytes spilled, 8 bytes read back"
    )


@pytest.mark.usefixtures("compilations")
def test_it_says_that_nothing_is_spilled(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "KERNELS", {each.name: each for each in TABLE[:2]})
    lines = command("kernels").out.splitlines()
    assert lines[-1] == "no kernel spills registers or needs a stack"


def test_what_is_the_same_is_compiled_once(
    command: Command, compilations: list[Compilation]
) -> None:
    command("kernels")
    assert len(compilations) == len(set(compilations)) == 3 * len(ARCHITECTURES)


def test_the_dtype_reaches_the_compiler(command: Command, compilations: list[Compilation]) -> None:
    assert "on float64" in command("kernels", "--dtype", "float64").out
    assert all("-DREAL=double" in each.options for each in compilations)


@pytest.mark.usefixtures("compilations")
def test_a_narrow_terminal_cuts_nothing_off(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = command("kernels").out
    monkeypatch.setenv("COLUMNS", "30")
    assert command("kernels").out == wide


def test_80_columns_hold_the_table() -> None:
    longest = max(map(len, KERNELS))
    assert longest + len(" block shared" + "".join(f" {each}" for each in ARCHITECTURES)) <= 80


@pytest.mark.usefixtures("compilations")
def test_a_terminal_is_shown_how_far_it_is(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert "compiling" not in command("kernels").out
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    command("kernels")
    assert "compiling" in terminal.getvalue()


def test_an_unknown_dtype_gets_one_line(refused: Refused) -> None:
    line = refused("kernels", "--dtype", "float16")
    assert "dtype is 'float16': choose one of float32, float64" in line


def test_without_nvrtc_it_gets_one_line(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    nvrtc._library.cache_clear()
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", None)
    assert "NVRTC, which is not installed: pip install 'gpucnn[kernels]'" in refused("kernels")


def test_source_that_does_not_compile_gets_one_line(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: Compilation) -> Compiled:
        return nvrtc.compile_kernels("wrong", self.options, self.architecture, self.file)

    monkeypatch.setattr(Compilation, "run", run)
    first = next(iter(KERNELS.values()))
    assert f"{first.file}, line 1: " in refused("kernels")
