"""CUDA's functions for conversions, bits, warps and memory; NVRTC accepts the same source."""

import numpy as np

from gpucnn.backends.cuda.machine_code.nvrtc import compile_kernels
from simulator.sources import FOLDER, kernel, zeros


def test_nvrtc_accepts_the_source() -> None:
    compiled = compile_kernels((FOLDER / "intrinsics.cu").read_text(), (), "sm_90")
    assert set(compiled.resources) == {"conversions", "bits", "warps", "memory"}


def test_conversions_round_and_saturate() -> None:
    out = zeros(22, np.int64)
    kernel("intrinsics", "conversions")((1,), (1,), (np.float32(2.5), 0.1, out))
    whole = [2, -2, -3, 3, 0, 2**31 - 1, -(2**31), 0, 2**32 - 1, 2**63 - 1, -2, 1]
    real = [16777218, 16777220, 16777218, -16777218, 2**32 - 256, 1, 1, 1]
    assert out.tolist() == [*whole, *real, 0x3FF80000, 1]


def test_bits() -> None:
    out = zeros(17, np.int64)
    kernel("intrinsics", "bits")((1,), (1,), (out,))
    expected = [0x07050301, 0x00FFFF80, 3, 0x80000000, 7, 9, 1, -15, 2**25 - 2, 18, 3, -2, 2]
    assert out.tolist() == [*expected, 2**31, 2**31, 100 + 4 - 5 + 12 + 21, 255 * 2 + 3 + 1]


def test_warps() -> None:
    out = zeros(192, np.uint32)
    kernel("intrinsics", "warps")((1,), (32,), (out,))
    match, same, total, most, odd, active = out.reshape(6, 32).tolist()
    assert match == [sum(1 << j for j in range(32) if j // 5 == i // 5) for i in range(32)]
    assert same == [2**32 - 1] * 32
    assert total == [496] * 32
    assert most == [0] * 32
    assert odd == [0xFFFF] * 16 + [0xFFFF0000] * 16
    assert active == [0x55555555, 0] * 16


def test_memory() -> None:
    x, out = np.array([0, 1.5, 2], np.float32), zeros(3)
    kernel("intrinsics", "memory")((1,), (1,), (x, out))
    assert x[0] == 3.5
    assert out.tolist() == [0x03030303, 1, 9]
