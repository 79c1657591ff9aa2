import random
from contextlib import suppress

import pytest

from gpucnn.backends.cuda.machine_code.cubin import code_of_functions
from gpucnn.backends.cuda.machine_code.nvrtc import ARCHITECTURES, compile_kernels
from gpucnn.errors import GpucnnError

SOURCE = """
extern "C" __global__ void first(float* x) { x[threadIdx.x] *= 2; }
extern "C" __global__ void second(double* x) { x[threadIdx.x] = sqrt(x[threadIdx.x]); }
"""

SIZE = 16  # bytes of an instruction


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_function_has_its_code(architecture: str) -> None:
    machine_code = compile_kernels(SOURCE, [], architecture).machine_code
    codes = code_of_functions(machine_code)
    assert set(codes) == {"first", "second"}
    assert all(len(code) >= SIZE and len(code) % SIZE == 0 for code in codes.values())
    assert len(codes["second"]) > len(codes["first"])
    assert all(code in machine_code for code in codes.values())


@pytest.mark.parametrize(
    "machine_code", [b"", b"no ELF file", b"\x7fELF", b"\x7fELF" + 60 * b"\xff"]
)
def test_what_is_no_machine_code_gets_one_line(machine_code: bytes) -> None:
    with pytest.raises(GpucnnError, match=r"^this machine code cannot be read: [^\n]+$"):
        code_of_functions(machine_code)


def test_damage_is_refused_or_read() -> None:
    machine_code = compile_kernels(SOURCE, [], "sm_90").machine_code
    numbers = random.Random(1)
    for _ in range(300):
        damaged = bytearray(machine_code[: numbers.randrange(len(machine_code))])
        for _ in range(min(3, len(damaged))):
            damaged[numbers.randrange(min(64, len(damaged)))] = numbers.randrange(256)
        with suppress(GpucnnError):
            code_of_functions(bytes(damaged))
