import json
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from expect import refusal
from gpucnn.backends.cuda.machine_code import nvdisasm
from gpucnn.backends.cuda.machine_code.nvdisasm import Instruction, disassemble
from gpucnn.backends.cuda.machine_code.nvrtc import ARCHITECTURES, compile_kernels
from gpucnn.errors import GpucnnError, MissingExtraError

# What is multiplied differs in each turn, so that the compiler keeps the loop.
SOURCE = """
extern "C" __global__ void sum(const REAL* x, REAL* out, int count) {
  REAL sum = 0;
#pragma unroll 1
  for (int i = 0; i < count; i++) sum += x[i] * x[i];
  out[threadIdx.x] = sum;
}
extern "C" __global__ void copy(const float4* x, float4* out) {
  out[threadIdx.x] = x[threadIdx.x];
}
"""


def machine_code(architecture: str, real: str = "float") -> bytes:
    return compile_kernels(SOURCE, [f"-DREAL={real}"], architecture).machine_code


@cache
def functions(architecture: str) -> dict[str, list[Instruction]]:
    (found,) = disassemble([machine_code(architecture)], architecture)
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_function_has_its_instructions(architecture: str) -> None:
    of = functions(architecture)
    assert set(of) == {"sum", "copy"}
    sums, copies = (Counter(each.operation for each in of[name]) for name in ("sum", "copy"))
    assert (sums["FFMA"], sums["LDG"], sums["STG"]) == (1, 1, 1)
    assert (copies["FFMA"], copies["LDG"], copies["STG"]) == (0, 1, 1)
    assert sums["EXIT"] >= 1
    assert ["128" in each.modifiers for each in of["copy"] if each.operation == "LDG"] == [True]
    assert ["128" in each.modifiers for each in of["sum"] if each.operation == "LDG"] == [False]


def test_doubles_have_instructions_of_their_own() -> None:
    codes = [machine_code("sm_90", real) for real in ("float", "double")]
    assert disassemble(codes[:1], "sm_90") == [functions("sm_90")]
    floats, doubles = disassemble(codes, "sm_90")
    assert floats == functions("sm_90")
    operations = Counter(each.operation for each in doubles["sum"])
    assert (operations["DFMA"], operations["FFMA"]) == (1, 0)


def test_instructions_are_those_that_nvdisasm_finds_in_the_file(tmp_path: Path) -> None:
    """It is given the code of functions alone, one behind the other."""
    codes = [machine_code("sm_90", real) for real in ("float", "double")]
    for code, found in zip(codes, disassemble(codes, "sm_90"), strict=True):
        (tmp_path / "cubin").write_bytes(code)
        command = [nvdisasm._path(), "-json", str(tmp_path / "cubin")]
        _, listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        for each in listed:
            size = each["length"] // len(each["sass-instructions"])
            alone = [
                nvdisasm._instruction(one, each["start"], size) for one in each["sass-instructions"]
            ]
            joined = found.pop(each["function-name"])
            assert [(a.opcode, a.is_conditional, a.target) for a in joined] == [
                (a.opcode, a.is_conditional, a.target) for a in alone
            ]
        assert not found


def test_without_code_there_are_no_functions() -> None:
    nothing = compile_kernels("__device__ int answer() { return 42; }", [], "sm_90").machine_code
    assert disassemble([], "sm_90") == []
    codes = [nothing, machine_code("sm_90"), nothing]
    assert disassemble(codes, "sm_90") == [{}, functions("sm_90"), {}]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_branches_have_targets(architecture: str) -> None:
    instructions = functions(architecture)["sum"]
    branches = [(i, each) for i, each in enumerate(instructions) if each.operation == "BRA"]
    (multiply,) = (i for i, each in enumerate(instructions) if each.operation == "FFMA")
    around = [
        each
        for index, each in branches
        if each.target is not None and each.target <= multiply < index
    ]
    assert [each.is_conditional for each in around] == [True]
    assert all(0 <= each.target < len(instructions) for _, each in branches if each.target)
    assert all(each.target is None for each in instructions if each.operation != "BRA")
    _, last = branches[-1]  # at the end of the code, to itself
    assert (last.target, last.is_conditional) == (branches[-1][0], False)


def listed(opcode: str, operands: str, **others: str) -> Instruction:
    return nvdisasm._instruction({"opcode": opcode, "operands": operands, **others}, 0x100, 16)


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (listed("BRA", "0x100"), Instruction("BRA", "0x100", False, 0)),
        (listed("BRA", "0x130", predicate="@!P0"), Instruction("BRA", "0x130", True, 3)),
        (listed("BRA", "!P5,0x130"), Instruction("BRA", "!P5,0x130", True, 3)),
        (listed("BRA.DIV", "UR4,0x130"), Instruction("BRA.DIV", "UR4,0x130", True, 3)),
        (listed("EXIT", "", predicate="@P0"), Instruction("EXIT", "", True)),
        (listed("BSSY", "B0,0x130"), Instruction("BSSY", "B0,0x130")),
    ],
)
def test_what_is_listed_is_understood(instruction: Instruction, expected: Instruction) -> None:
    assert instruction == expected


def test_an_opcode_is_an_operation_and_modifiers() -> None:
    load = Instruction("LDG.E.128.CONSTANT")
    assert (load.operation, load.modifiers) == ("LDG", ("E", "128", "CONSTANT"))
    assert (Instruction("EXIT").operation, Instruction("EXIT").modifiers) == ("EXIT", ())


def test_code_of_no_architecture_gets_one_line() -> None:
    with pytest.raises(GpucnnError, match=r"^nvdisasm cannot read this machine code: ") as caught:
        disassemble([machine_code("sm_90")], "sm_9")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["nvdisasm", "cuda-pathfinder"])
def test_without_nvdisasm_it_is_told_how_to_get_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvdisasm._path.cache_clear()
    if missing == "nvdisasm":
        monkeypatch.setattr("cuda.pathfinder.find_nvidia_binary_utility", lambda name: None)
    else:
        monkeypatch.setitem(sys.modules, "cuda.pathfinder", None)
    with refusal(
        "disassembling kernels needs nvdisasm, which is not installed: pip install "
        "'gpucnn[kernels]'",
        MissingExtraError,
    ):
        disassemble([], "sm_90")
