import pytest

from commands.conftest import Command, Refused
from gpucnn.backends.backend import KERNELS
from gpucnn.backends.cuda.machine_code import nvdisasm, nvrtc
from gpucnn.commands.devices import kernels
from gpucnn.commands.tables.machine_code import sample_names

TILES = [f"tile={tile}" for tile in (16, 32, 64, 128)]


def chosen(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have the command know these kernels alone."""
    monkeypatch.setattr(kernels, "KERNELS", {name: KERNELS[name] for name in names})


def tables(output: str) -> list[list[list[str]]]:
    """The rows of each table, its heading first."""
    lines = [line.split() for line in output.splitlines()]
    heads = [number for number, line in enumerate(lines) if line[:2] == ["kernel", "sample"]]
    ends = [next((n for n in range(h, len(lines)) if not lines[n]), len(lines)) for h in heads]
    return [lines[head:end] for head, end in zip(heads, ends, strict=True)]


def test_it_shows_what_the_machine_code_consists_of(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen(monkeypatch, "relu", "matmul", "sgd")
    outcome = command("kernels", "--sass", "sm_90")
    assert outcome.status == 0
    first = outcome.out.splitlines()[0]
    assert first == (
        f"machine code of 3 kernels on float32 for sm_90, compiled by NVRTC {nvrtc.version()}"
    )
    (_, *loops), (_, *memory) = tables(outcome.out)
    *products, sgd = loops
    assert [row[:3] for row in products] == [["matmul", each, "loop"] for each in TILES]
    for (_, tile, _, *numbers), sums in zip(products, (4, 4, 8, 8), strict=True):
        every, multiply_adds, vectors = (int(numbers[each]) for each in (0, 1, 4))
        assert numbers[2:4] == [f"{multiply_adds / every:.1%}", f"{every / multiply_adds:.2f}"]
        # For a term of its sums x sums a thread loads twice as many numbers as sums, four at once.
        assert vectors * sums * 2 == multiply_adds, tile
        assert numbers[5] == "0"
    assert sgd[:2] == ["sgd", "whole"]
    assert [row[:2] for row in memory[1:-1]] == [["matmul", each] for each in TILES]
    assert memory[0][:5] == ["relu", "0", "4", "0", "4"]  # four elements a thread, one by one


def test_each_kernel_has_a_row_for_each_sample_and_dtype(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen(monkeypatch, "conv_relu_pool")
    out = command("kernels", "--sass", "sm_80", "--dtype", "float64").out
    loops, memory = tables(out)
    filters = [f"filters={filters}" for filters in (8, 32, 64, 21)]
    assert [row[1] for row in loops[1:]] == filters
    assert [row[1] for row in memory[1:]] == filters
    assert "on float64 for sm_80" in out


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_names_tell_samples_apart(real: str) -> None:
    for kernel in KERNELS.values():
        names = sample_names(kernel.samples(real))
        assert len(set(names)) == len(names) == len(kernel.samples(real)), kernel.name


def test_a_name_is_as_few_constants_as_tell_samples_apart() -> None:
    assert sample_names([{}]) == [""]
    assert sample_names([{"a": 1, "b": 2}]) == [""]
    assert sample_names([{"a": 1, "b": 2}, {"a": 1, "b": 3}]) == ["b=2", "b=3"]
    three = [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 2, "b": 2}]
    assert sample_names(three) == ["a=1 b=2", "a=1 b=3", "a=2 b=2"]


def test_an_unknown_architecture_gets_one_line(refused: Refused) -> None:
    assert "sass is 'sm_30': choose one of sm_75, " in refused("kernels", "--sass", "sm_30")


def test_without_nvdisasm_it_gets_one_line(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen(monkeypatch, "relu")
    nvdisasm._path.cache_clear()
    monkeypatch.setattr("cuda.pathfinder.find_nvidia_binary_utility", lambda name: None)
    line = refused("kernels", "--sass", "sm_90")
    assert "nvdisasm, which is not installed: pip install 'gpucnn[kernels]'" in line
