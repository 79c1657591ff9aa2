from collections import Counter

import pytest

from gpucnn.backends.backend import KERNELS
from gpucnn.backends.cuda.kernel import Kernel
from gpucnn.backends.cuda.machine_code.hot_loop import accesses, hot_loop, multiply_adds
from gpucnn.backends.cuda.machine_code.nvdisasm import Instruction, disassemble
from gpucnn.backends.cuda.machine_code.nvrtc import ARCHITECTURES, compile_kernels
from gpucnn.backends.cuda.machine_code.resources import compilations


def code(*lines: str) -> list[Instruction]:
    """Instructions, each an opcode and, of a branch, "if", and the index that it jumps to."""
    return [instruction(*line.split()) for line in lines]


def instruction(opcode: str, *rest: str) -> Instruction:
    target = int(rest[-1]) if rest and rest[-1].isdigit() else None
    return Instruction(opcode, "", "if" in rest, target)


def opcodes(instructions: list[Instruction]) -> list[str]:
    return [each.opcode for each in instructions]


def test_multiply_adds_are_counted_as_a_thread_computes_them() -> None:
    assert multiply_adds(code("FFMA.FTZ", "FFMA", "DFMA", "FADD", "FMUL", "HFMA2.MMA", "IMAD")) == 3
    assert multiply_adds(code("FFMA2")) == 2


def test_accesses_are_told_by_their_width() -> None:
    loads = code("LDS.128", "LDS", "LDS.U8", "LDS.64", "LDG.E.128.CONSTANT", "STS.128", "LDSM.128")
    assert accesses(loads, "LDS") == (1, 3)
    assert accesses(loads, "LDG") == (1, 0)
    assert accesses(loads, "STG") == (0, 0)


def test_a_loop_is_what_a_branch_back_repeats() -> None:
    looped = code("MOV", "FFMA", "LDS", "BRA if 1", "STG", "EXIT", "BRA 6")
    assert opcodes(hot_loop(looped)) == ["FFMA", "LDS", "BRA"]


def test_without_multiply_adds_in_a_loop_there_is_none() -> None:
    assert hot_loop(code("FFMA", "LDS", "BRA if 1", "FFMA", "EXIT", "BRA 5")) == []
    assert hot_loop(code("FFMA", "EXIT")) == []


def test_the_loop_with_most_is_taken() -> None:
    two = code("FFMA", "BRA if 0", "FFMA.FTZ", "FFMA.FTZ", "BRA if 2", "FFMA", "BRA if 5", "EXIT")
    assert opcodes(hot_loop(two)) == ["FFMA.FTZ", "FFMA.FTZ", "BRA"]


def test_the_innermost_is_taken_however_many_are_around_it() -> None:
    nested = code("FFMA", "FFMA", "FFMA.FTZ", "BRA if 2", "FFMA", "BRA if 0", "EXIT")
    assert opcodes(hot_loop(nested)) == ["FFMA.FTZ", "BRA"]


def test_a_loop_without_any_is_left_out_of_the_one_around_it() -> None:
    nested = code("FFMA", "LDG", "BRA if 1", "FFMA", "BRA if 0", "EXIT")
    assert opcodes(hot_loop(nested)) == ["FFMA", "FFMA", "BRA"]


def test_both_arms_of_a_branch_are_in_the_loop() -> None:
    looped = code(
        "MOV", "ISETP", "BRA if 5", "FFMA", "BRA 6", "FADD", "IADD3", "BRA if 1", "EXIT", "BRA 9"
    )
    assert opcodes(hot_loop(looped)) == opcodes(looped[1:8])


def test_what_was_put_out_of_the_way_is_in_its_loop() -> None:
    looped = code("MOV", "FFMA", "BRA if 6", "STS", "BRA if 1", "EXIT", "MUFU", "BRA 3", "BRA 8")
    assert opcodes(hot_loop(looped)) == ["FFMA", "BRA", "STS", "BRA", "MUFU", "BRA"]


def test_a_branch_back_to_what_is_not_on_every_path_is_no_loop() -> None:
    straight = code("BRA if 4", "FFMA", "EXIT", "NOP", "FFMA", "BRA 1", "BRA 6")
    assert hot_loop(straight) == []


def test_a_loop_may_end_in_several_places() -> None:
    looped = code("MOV", "FFMA", "BRA if 1", "FADD", "EXIT if", "BRA 1", "BRA 6")
    assert opcodes(hot_loop(looped)) == ["FFMA", "BRA", "FADD", "EXIT", "BRA"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_implicit_products_are_multiply_adds_for_the_most_part(architecture: str) -> None:
    """Of lenet's second layer, from 32 channels to 64 filters."""
    names = ("conv_relu_pool", "pooled_kernel_gradient", "pooled_input_gradient")
    codes = [machine_code(KERNELS[name], architecture, filters=64) for name in names]
    for name, functions in zip(names, disassemble(codes, architecture), strict=True):
        loop = hot_loop(functions[name])
        assert multiply_adds(loop) >= 0.7 * len(loop), name


def machine_code(kernel: Kernel, architecture: str, filters: int) -> bytes:
    """That of the only sample of a kernel with so many filters."""
    samples = zip(
        kernel.samples("float32"), compilations(kernel, "float32", architecture), strict=True
    )
    (compilation,) = (each for sample, each in samples if sample["filters"] == filters)
    return compilation.run().machine_code


# A product in tiles: a loop over tiles, in which one brings tiles and one multiplies.
PRODUCT = """
extern "C" __global__ void product(const REAL* a, const REAL* b, REAL* out, int tiles, int step) {
  __shared__ __align__(16) REAL x[512], y[512];
  REAL sums[4][4] = {};
  for (int tile = 0; tile < tiles; tile++) {
#pragma unroll 1
    for (int i = threadIdx.x; i < 512; i += step) { x[i] = *a++; y[i] = *b++; }
    __syncthreads();
#pragma unroll 1
    for (int k = 0; k < 512; k += 4) {
      const float4 row = *(const float4*)(x + (k + 4 * threadIdx.y) % 512);
      const float4 column = *(const float4*)(y + (k + 4 * threadIdx.x) % 512);
      const float rows[] = {row.x, row.y, row.z, row.w};
      const float columns[] = {column.x, column.y, column.z, column.w};
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) sums[i][j] += rows[i] * columns[j];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 16; i++) out[16 * threadIdx.x + i] = 0.5f + 3.0f * sums[i / 4][i % 4];
}
"""


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loop_of_a_product_is_found(architecture: str) -> None:
    compiled = compile_kernels(PRODUCT, ["-DREAL=float"], architecture)
    (functions,) = disassemble([compiled.machine_code], architecture)
    instructions = functions["product"]
    loop = hot_loop(instructions)
    assert multiply_adds(loop) == 16
    assert multiply_adds(instructions) > 16
    assert accesses(loop, "LDS") == (2, 0)
    operations = Counter(each.operation for each in loop)
    assert (operations["BRA"], operations["BAR"], operations["LDG"], operations["STG"]) == (
        1,
        0,
        0,
        0,
    )
    assert len(loop) < 40
