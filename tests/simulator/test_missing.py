"""What the simulator does not have is said so, with its line, and is no fault of the source."""

import numpy as np
import pytest

from gpucnn.simulator import Module, SimulatorError

KERNEL = """{include}
extern "C" __global__ void missing(unsigned long long object, float* x)
{{
    {statement}
}}
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize(
    ("include", "statement", "missing"),
    [
        ("#include <cuda_fp4.h>", "", "source.cu:1: the simulator does not have cuda_fp4.h"),
        ("", "__shfl(1, 2);", "source.cu:4: the simulator does not have __shfl"),
        ("", "__nv_fp8_e4m3 y;", "source.cu:4: the simulator does not have __nv_fp8_e4m3"),
        (
            "#include <cooperative_groups.h>",
            "cooperative_groups::this_multi_grid();",
            "source.cu:4: the simulator does not have this_multi_grid",
        ),
        (
            "#include <cooperative_groups.h>",
            "cooperative_groups::this_thread_block().unknown();",
            "source.cu:4: the simulator does not have unknown",
        ),
        ("#include <cub/unknown.cuh>", "", "source.cu:1: the simulator does not have cub/unknown"),
    ],
)
def test_at_compilation(
    include: str, statement: str, missing: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(SimulatorError) as caught:
        Module(KERNEL.format(include=include, statement=statement))
    assert missing in str(caught.value)
    assert "correct the source" not in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        (
            'asm volatile("add.f32 %0, %0, %1;" :\n "+f"(*x) : "f"(1.0f));\n    *x = 3;',
            "asm at source.cu:4 is a PTX statement: the simulator does not have them, write it in "
            "C++",
        ),
        (
            "*x = texCubemap<float>(object, 0.5f, 0.5f, 0.5f);",
            "a texture at source.cu:4 is read by texCubemap: the simulator does not have it",
        ),
    ],
)
def test_at_launch(statement: str, missing: str) -> None:
    kernel = Module(KERNEL.format(include="", statement=statement)).get_function("missing")
    with pytest.raises(SimulatorError) as caught:
        kernel((1,), (1,), (np.uint64(0), np.zeros(1, np.float32)))
    assert str(caught.value).endswith(missing)
