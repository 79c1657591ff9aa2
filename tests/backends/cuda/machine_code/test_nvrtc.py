import re
import sys

import pytest
from cuda.pathfinder import DynamicLibNotFoundError, LoadedDL

from expect import refusal
from gpucnn.backends.cuda.machine_code import nvrtc
from gpucnn.backends.cuda.machine_code.nvrtc import (
    ARCHITECTURES,
    CompilationError,
    Resources,
    compile_kernels,
)
from gpucnn.errors import MissingExtraError

OPTIONS = ("--std=c++17",)

REVERSE = """
extern "C" __global__ void reverse(float* values) {
  __shared__ float tile[256];
  tile[threadIdx.x] = values[threadIdx.x];
  __syncthreads();
  values[threadIdx.x] = tile[255 - threadIdx.x];
}
"""

SCALE = """
extern "C" __global__ void scale(float* values, float factor) {
  values[threadIdx.x] *= factor;
}
"""

# All of `kept` must be held while the threads wait for each other.
ROTATE = """
extern "C" __global__ void rotate(float* values) {
  float kept[64];
#pragma unroll
  for (int i = 0; i < 64; ++i) kept[i] = values[32 * i + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 64; ++i) values[32 * i + threadIdx.x] = kept[(i + 1) % 64];
}
"""

# An array whose elements are chosen while it runs cannot be in registers.
PICK = """
__device__ __noinline__ float pick(const float* values, int index) {
  volatile float kept[4];
  for (int i = 0; i < 4; ++i) kept[i] = values[i];
  return kept[index];
}
extern "C" __global__ void choose(float* values, int index) { *values = pick(values, index); }
"""


@pytest.fixture(params=["no NVRTC", "no cuda-pathfinder"])
def without_nvrtc(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if NVRTC, or the package that finds it, were not installed."""

    def find(name: str) -> LoadedDL:
        raise DynamicLibNotFoundError(f"Failure finding {name}")

    nvrtc._library.cache_clear()
    if request.param == "no NVRTC":
        monkeypatch.setattr("cuda.pathfinder.load_nvidia_dynamic_lib", find)
    else:
        monkeypatch.setitem(sys.modules, "cuda.pathfinder", None)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_kernel_is_reported_by_its_name(architecture: str) -> None:
    resources = compile_kernels(REVERSE + SCALE, OPTIONS, architecture).resources
    assert set(resources) == {"reverse", "scale"}
    assert resources["reverse"].shared_memory == 256 * 4
    assert resources["scale"].shared_memory == 0
    for each in resources.values():
        assert 1 <= each.registers <= 32
        assert each.stack == each.spill_stores == each.spill_loads == 0


def test_macros_reach_the_source() -> None:
    source = REVERSE.replace("float", "REAL")
    resources = compile_kernels(source, (*OPTIONS, "-DREAL=double"), "sm_90").resources
    assert resources["reverse"].shared_memory == 256 * 8


def test_registers_that_are_spilled_are_counted() -> None:
    free = compile_kernels(ROTATE, OPTIONS, "sm_90").resources["rotate"]
    assert free.registers > 64
    assert free.spill_stores == 0
    bound = compile_kernels(ROTATE, (*OPTIONS, "--maxrregcount=32"), "sm_90").resources["rotate"]
    assert bound.registers <= 32
    assert bound.spill_stores >= 32 * 4
    assert bound.spill_loads >= 32 * 4
    assert bound.stack >= 32 * 4


def test_the_stack_of_called_functions_is_counted() -> None:
    assert compile_kernels(PICK, OPTIONS, "sm_90").resources["choose"].stack >= 16


def test_reports_of_the_assembler_are_understood() -> None:
    log = """
ptxas info    : 272 bytes gmem, 16 bytes cmem[4]
ptxas info    : Compiling entry function 'first' for 'sm_75'
ptxas info    : Function properties for first
ptxas         .     40 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 24 registers, used 1 barriers, 40 bytes cumulative stack size, 2048 bytes smem
ptxas info    : Compile time = 14.060 ms
ptxas info    : Function properties for called_by_first
ptxas         .     16 bytes stack frame, 4 bytes spill stores, 2 bytes spill loads
ptxas info    : Compiling entry function '_Z6secondf' for 'sm_75'
ptxas info    : Function properties for _Z6secondf
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 6 registers, used 0 barriers, 360 bytes cmem[0]
"""
    assert nvrtc._resources(log) == {
        "first": Resources(24, 2048, 56, 16, 10),
        "_Z6secondf": Resources(6, 0, 0, 0, 0),
    }


def test_source_without_kernels_has_no_resources() -> None:
    compiled = compile_kernels("__device__ int answer() { return 42; }", OPTIONS, "sm_90")
    assert compiled.resources == {}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_machine_code_is_an_elf_file_for_cuda(architecture: str) -> None:
    machine_code = compile_kernels(SCALE, OPTIONS, architecture).machine_code
    assert machine_code[:4] == b"\x7fELF"
    assert int.from_bytes(machine_code[18:20], "little") == 190  # e_machine: EM_CUDA
    assert b"scale" in machine_code


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (
            SCALE.replace("factor;", "INFINITY;\n  wrong = 1;"),
            'kernels.cu, line 3: identifier "INFINITY" is undefined',
        ),
        ("#error no tile", "kernels.cu, line 1: #error directive: no tile"),
        ('\n#include "none.h"', 'kernels.cu, line 2: cannot open source file "none.h"'),
    ],
)
def test_the_first_error_is_told_in_one_line(source: str, line: str) -> None:
    with refusal(f"{line} (NVRTC {nvrtc.version()}, sm_80)", CompilationError):
        compile_kernels(source, OPTIONS, "sm_80")


@pytest.mark.parametrize(
    ("option", "architecture", "line"),
    [
        ("--nonsense", "sm_90", "unrecognized option --nonsense found"),
        ("--ptxas-options=--nonsense", "sm_90", "Unknown option '-nonsense'"),
        ("--std=c++17", "sm_30", "invalid value for --gpu-architecture (-arch)"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(option: str, architecture: str, line: str) -> None:
    with refusal(f"scale.cu: {line} (NVRTC {nvrtc.version()}, {architecture})", CompilationError):
        compile_kernels(SCALE, [option], architecture, "scale.cu")


def test_it_tells_its_version() -> None:
    assert re.fullmatch(r"1[23]\.\d+", nvrtc.version())


def test_it_tells_its_build() -> None:
    assert re.fullmatch(rf"{re.escape(nvrtc.version())}, \d{{7,}} bytes", nvrtc.build())


@pytest.mark.usefixtures("without_nvrtc")
def test_without_nvrtc_it_is_told_how_to_get_it() -> None:
    line = "compiling kernels needs NVRTC, which is not installed: pip install 'gpucnn[kernels]'"
    with refusal(line, MissingExtraError):
        compile_kernels(SCALE, OPTIONS, "sm_90")
    with refusal(line, MissingExtraError):
        nvrtc.version()
    with refusal(line, MissingExtraError):
        nvrtc.build()
